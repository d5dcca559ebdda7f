# Installs with the same script that developers use, and copies only what the server runs with into the image.
#   docker build --build-arg DEVICE=cuda -t sightglass:cuda .
#   docker build --build-arg TORCH_INDEX=<index of CPU builds> -t sightglass:cpu .    smaller: PyTorch without CUDA
#   docker build --build-arg BASE=python@sha256:<digest> -t sightglass:cpu .          the same base at every build
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ARG TORCH_INDEX=""
WORKDIR /app
# only the files that decide the dependencies, so that a change of code does not install them again
COPY pyproject.toml constraints.txt ./
COPY scripts/install scripts/install
# named in pyproject.toml, and nothing that an installation reads
RUN touch README.md LICENSE
RUN TORCH_INDEX="$TORCH_INDEX" scripts/install /app/.venv openvino,grpc

FROM ${BASE}
ARG DEVICE=cpu
LABEL org.opencontainers.image.title="sightglass" org.opencontainers.image.licenses="Apache-2.0"
# AZUREML_MODEL_DIR names the model, because any other way to name one wins over it.
# The NVIDIA variables ask the container runtime for the GPUs.
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    SIGHTGLASS_HOST=0.0.0.0 \
    SIGHTGLASS_PORT=5001 \
    SIGHTGLASS_DEVICE=${DEVICE} \
    SIGHTGLASS_CACHE_FOLDER=/cache/sightglass \
    AZUREML_MODEL_DIR=/model
WORKDIR /app
# a new volume on /cache belongs to this user too
RUN useradd --create-home --uid 10001 sightglass && install -d -m 700 -o sightglass /cache
COPY --from=build /app/.venv /app/.venv
COPY settings settings
COPY models models
COPY explain explain
COPY server server
USER 10001
EXPOSE 5001
HEALTHCHECK --interval=10s --timeout=2s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"SIGHTGLASS_PORT\"]}/health/live', timeout=2)"]
ENTRYPOINT ["python", "-m", "server"]
