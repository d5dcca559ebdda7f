"""Models as the Open Inference Protocol and Triton's extensions of it describe them, as JSON objects.

The extensions are https://github.com/triton-inference-server/server/tree/main/docs/protocol: configuration, statistics
and the index of the repository.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from server.codecs.tensor_outputs import Tensor, model_outputs
from server.inference.deployments import Deployment
from server.inference.statistics import ModelStatistics

INPUT = Tensor("image", "BYTES", (-1,))
_CONFIGURED_TYPES = {"BYTES": "TYPE_STRING", "FP32": "TYPE_FP32"}
# Triton's names of the stages of an image
_DURATIONS = {"queue": "queue", "compute_input": "decode", "compute_infer": "device", "compute_output": "encode"}
_NANOSECONDS = 1e9


def model_metadata(deployment: Deployment) -> dict[str, Any]:
    """Return the version, the input and the outputs of a model, and what else is known of it as `parameters`."""
    facts = deployment.model
    parameters = {"architecture": facts.architecture, "labels": list(facts.labels), **dict(facts.sizes)}
    return {
        "name": deployment.name,
        "versions": [_version(deployment)],
        "platform": _platform(deployment),
        "inputs": [INPUT.metadata()],
        "outputs": [output.metadata() for output in model_outputs(facts)],
        "parameters": {**parameters, "signature": str(facts.signature)},
    }


def model_configuration(deployment: Deployment) -> dict[str, Any]:
    """Return a model's configuration by Triton's extension: a batch is the images of a request."""
    return {
        "name": deployment.name,
        "platform": _platform(deployment),
        "backend": "sightglass",
        "max_batch_size": deployment.settings.max_images,
        "input": [_configured(INPUT)],
        "output": [_configured(output) for output in model_outputs(deployment.model)],
        "dynamic_batching": {},  # images of several requests share a batch
    }


def _configured(tensor: Tensor) -> dict[str, Any]:
    """Describe a tensor without its batch dimension. Where no other is left, Triton writes that as a reshaped 1."""
    dims = list(tensor.shape[1:])
    shape: dict[str, Any] = {"dims": dims} if dims else {"dims": [1], "reshape": {"shape": []}}
    return {"name": tensor.name, "data_type": _CONFIGURED_TYPES[tensor.datatype], **shape}


def model_statistics(deployments: Sequence[Deployment], found: Mapping[str, ModelStatistics]) -> list[dict[str, Any]]:
    """Return the statistics of models by Triton's extension; those that `found` lacks have done nothing yet.

    Requests are counted as successes and failures. The stages are sums over images, in nanoseconds, and the time of the
    successes is their total.
    """
    return [_statistics(deployment, found.get(deployment.name, ModelStatistics())) for deployment in deployments]


def _statistics(deployment: Deployment, found: ModelStatistics) -> dict[str, Any]:
    stages = {name: _duration(found.staged_images, found.stage_seconds[stage]) for name, stage in _DURATIONS.items()}
    return {
        "name": deployment.name,
        "version": _version(deployment),
        "inference_count": found.images,
        "execution_count": found.batches,
        "inference_stats": {
            "success": _duration(found.requests - found.failed_requests, sum(found.stage_seconds.values())),
            "fail": _duration(found.failed_requests, 0.0),
            **stages,
            "cache_hit": _duration(0, 0.0),
            "cache_miss": _duration(0, 0.0),
        },
        "batch_stats": [],
    }


def _duration(count: int, seconds: float) -> Mapping[str, int]:
    return {"count": count, "ns": round(seconds * _NANOSECONDS)}


def repository_index(deployments: Sequence[Deployment], *, only_ready: bool) -> list[dict[str, str]]:
    """Return the index of the repository by Triton's extension: the state of each model, and why if not ready."""
    return [_entry(deployment) for deployment in deployments if deployment.engines.ready or not only_ready]


def _entry(deployment: Deployment) -> dict[str, str]:
    engines = deployment.engines
    loaded = "UNAVAILABLE" if deployment.model.architecture else "LOADING"
    return {
        "name": deployment.name,
        "version": _version(deployment),
        "state": "READY" if engines.ready else loaded,
        "reason": "" if engines.ready else engines.reason,
    }


def _version(deployment: Deployment) -> str:
    return str(deployment.route.version or 1)


def _platform(deployment: Deployment) -> str:
    return f"sightglass_{deployment.model.task or 'loading'}"
