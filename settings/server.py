"""ServerSettings: how this process serves. A flag wins over its variable, which wins over the default."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

ENV_PREFIX = "SIGHTGLASS_"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"  # of a deployment

Positive = Annotated[int, Field(ge=1)]
Milliseconds = Annotated[int, Field(ge=0, le=3_600_000)]


_LONGEST_PREFIX = 200
# no dots alone, which lead to another folder, and no empty part: "//host" is another server
_PREFIX = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~@+-]+)*")


def path_prefix(text: str) -> str:
    """Return a path prefix such as `/models/fridge` without a slash at its end; "" is none. ValueError."""
    prefix = text.strip().rstrip("/")
    if len(prefix) > _LONGEST_PREFIX or not _PREFIX.fullmatch(prefix):
        raise ValueError("not a path")
    return prefix


def _network(text: str) -> str:
    """Check an address or network such as `10.0.0.0/8`, or `*` for all. ValueError."""
    if text != "*":
        ipaddress.ip_network(text, strict=False)
    return text


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if value) if isinstance(value, str) else value


Devices = Annotated[
    tuple[Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")], ...],
    BeforeValidator(_split),
    Field(json_schema_extra={"expectation": "auto, cpu, cuda or cuda:N, or several separated by commas"}),
]


Origins = Annotated[
    tuple[Annotated[str, Field(pattern=r"^(\*|https?://[^\s/,]+)$")], ...],
    BeforeValidator(_split),
    Field(json_schema_extra={"expectation": "*, or origins such as https://example.com separated by commas"}),
]


Networks = Annotated[
    tuple[Annotated[str, AfterValidator(_network)], ...],
    BeforeValidator(_split),
    Field(json_schema_extra={"expectation": "*, or addresses and networks such as 10.0.0.0/8 separated by commas"}),
]


class ServerSettings(BaseModel):
    """Everything about serving that is no property of the model."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    config_file: Path | None = Field(
        None, description="A JSON file of settings, by these names or those of the variables; flags and variables win."
    )
    model: Path | None = Field(None, description="The model folder to serve, in any of its layouts.")
    model_root: Path = Field(Path("model_root"), description="The folder that registered models live in.")
    name: str | None = Field(None, description="A registered model to serve: NAME, NAME@VERSION or NAME@latest.")
    model_version: Annotated[str, Field(pattern=r"^(latest|[1-9]\d*)$")] = Field(
        "latest",
        description="The version of --name to serve.",
        json_schema_extra={"expectation": "a whole number of at least 1, or latest"},
    )
    deployment_name: Annotated[str, Field(pattern=NAME)] | None = Field(
        None,
        description="What the model or script is called in paths, metrics and logs; by default as its folder or file.",
        json_schema_extra={"expectation": "up to 64 letters, digits, '.', '_' and '-', the first a letter or digit"},
    )
    strict_settings: bool = Field(False, description="Refuse unknown keys in settings.json instead of warning.")

    deployments: Path | None = Field(
        None,
        description="Instead of one model: a JSON file of several and their shares of traffic; the server updates it.",
    )

    entry_script: Path | None = Field(
        None, description="Instead of a model: a scoring script with `init()` and `run()` to serve."
    )
    model_dir: Path | None = Field(
        None,
        description="The model folder of --entry-script, which reads it from the variable AZUREML_MODEL_DIR.",
    )
    app_root: Path | None = Field(
        None, description="The folder that scripts run in and import from; by default that of the script."
    )
    source_dir: Path | None = Field(None, description="A further folder that --entry-script imports from.")
    script_python: Path | None = Field(
        None, description="The Python, 3.10 or newer, that runs scripts with the packages they need; else the server's."
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="Processes of a script, each with its own model; each handles one request at a time."
    )
    scoring_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = Field(
        3_600_000,
        description="Kill a script's process when a request takes longer than this or --request-timeout-ms.",
    )

    host: str = Field(
        "127.0.0.1", description="The address to listen on; 0.0.0.0 for all of IPv4, :: for all of both versions."
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(5001, description="The port to listen on; 0 picks a free one.")
    health_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None, description="A second port for probes; it answers everything that --port answers."
    )
    grpc_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None,
        description="A further port for the Open Inference Protocol over gRPC, of the extra grpc; 0 picks a free one.",
    )
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        4096,
        description="The most connections of an HTTP process, and 96 fewer than it may open files (ulimit -n); beyond "
        "them, those that wait the longest are closed.",
    )
    idle_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = Field(
        75_000,
        description="Close a connection that waits this long for a request, its headers, or its client to read. Longer "
        "than the idle timeout of common load balancers, so that they close idle connections.",
    )
    cors_origins: Origins = Field(
        (), description="Origins whose web pages may send requests, separated by commas, or * for all; none by default."
    )
    root_path: Annotated[str, AfterValidator(path_prefix)] = Field(
        "",
        description="The path prefix that a proxy shows to clients, removed by it or not; X-Forwarded-Prefix wins.",
        json_schema_extra={"expectation": "a path such as /models/fridge, of letters, digits and . _ ~ @ + -"},
    )
    forwarded_allow_ips: Networks = Field(
        ("127.0.0.1", "::1"),
        description="The proxies whose X-Forwarded-For, -Proto and -Prefix are believed: addresses and networks "
        "separated by commas, or * for all.",
    )
    swagger_title: str = Field("ML service", description="The title in /swagger.json.")
    swagger_version: str = Field("1.0", description="The version in /swagger.json.")
    swagger_prefix: str = Field("", description="The prefix of all paths in /swagger.json.")
    http_processes: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = Field(
        "auto", description="Processes that parse and reply; auto starts one for each four cores that no model needs."
    )

    device: Devices = Field(
        ("auto",),
        description="Where the model runs: auto, cpu, cuda, cuda:N, or several separated by commas (an engine each).",
    )
    decode_workers: Annotated[int, Field(ge=0, le=64)] | Literal["auto"] = Field(
        "auto",
        description="Processes that decode and batch images for each GPU that classifies; auto starts one for each "
        "four cores, and none for a CPU.",
    )
    precision: Literal["fp32", "tf32", "bf16", "fp16", "auto"] = Field(
        "fp32",
        description="The arithmetic of the forward pass; auto takes bf16 where that is faster and scores stay close.",
    )
    force_precision: bool = Field(
        False, description="Serve in tf32, bf16 or fp16 even where that changes scores by more than is allowed."
    )
    runtime: Literal["auto", "eager", "compiled", "cuda_graphs", "openvino"] = Field(
        "auto",
        description="What computes scores: auto finds the fastest with the same scores, while it serves already.",
    )
    cache_folder: Path | None = Field(
        None,
        description="The folder for the files of runtimes and the choice of one; by default ~/.cache/sightglass.",
    )
    cpu_threads: Annotated[int, Field(ge=0, le=1024)] = Field(
        0, description="CPU threads for decoding and for the model; 0 uses every core the process may use."
    )

    max_batch_images: Annotated[int, Field(ge=0, le=4096)] = Field(
        0, description="The most images in one batch; 0 takes the best size measured at warm-up."
    )
    max_batch_pixels: Annotated[int, Field(ge=0)] = Field(
        0, description="The most network input pixels in one batch; 0 sets no bound besides the number of images."
    )
    max_delay_ms: Milliseconds = Field(
        0, description="How long the oldest image may wait for a fuller batch, from its arrival; 0 never waits."
    )
    queue_limit_ms: Milliseconds = Field(
        5_000, description="Refuse requests (429) while the work queued before them is predicted to take longer."
    )
    start_timeout_ms: Annotated[int, Field(ge=1, le=86_400_000)] = Field(
        600_000, description="Give up a model or a script that is not ready this long after its process started."
    )
    request_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = Field(
        30_000, description="Answer 504 to a request that has no reply after this time."
    )

    max_body_bytes: Positive = Field(64 * 2**20, description="The largest request body (413 above it).")
    max_image_bytes: Positive = Field(32 * 2**20, description="The largest encoded image.")
    max_image_pixels: Positive = Field(100_000_000, description="The largest image, width times height.")
    scaled_decode: bool = Field(
        False,
        description="Decode large JPEGs at a fraction of their size, twice what the network needs; changes pixels.",
    )
    max_images: Annotated[int, Field(ge=1, le=65_536)] = Field(256, description="The most images in one request.")
    bad_images: Literal["reject", "report", "drop"] = Field(
        "reject",
        description="An unreadable image: reject the request (422), report an error in its place, or drop the image.",
    )

    inference_parameters: bool = Field(
        True, description="Let a request set thresholds, tiling and the like for its own images."
    )

    keys_file: Path | None = Field(
        None, description="A file with the primary and the secondary bearer key, a line each; re-read on change."
    )
    admin_keys_file: Path | None = Field(
        None,
        description="A file like --keys-file, with the keys that may change deployments; without it nobody may.",
    )
    log_format: Literal["text", "json"] = Field("text", description="The form of the log lines.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe log lines to write; debug adds tracebacks."
    )
    page: Literal["on", "off"] = Field("on", description="Serve the page at /ui.")
    page_samples: Path | None = Field(
        None, description="A folder of images that the page offers to try; anyone with a scoring key may see them."
    )
    drain_delay_ms: Milliseconds = Field(
        500, description="After SIGTERM, keep accepting this long while readiness already answers 503."
    )
    grace_period_ms: Milliseconds = Field(
        25_000, description="After that, wait at most this long for requests in flight."
    )

    @model_validator(mode="after")
    def _names_are_whole(self) -> "ServerSettings":
        named = {
            "the model folder": self.model,
            "the name": self.name,
            "the file of deployments": self.deployments,
            "the entry script": self.entry_script,
        }
        given = [f"{what} {str(value)!r}" for what, value in named.items() if value is not None]
        if len(given) > 1:
            raise ValueError(f"both {' and '.join(given)} are given; keep one of them")
        if self.deployments is not None and self.deployment_name is not None:
            named_there = f"the file of deployments {str(self.deployments)!r} has names"
            raise ValueError(f"{named_there}; leave the deployment name {self.deployment_name!r} out")
        if self.name is not None and "@" in self.name and self.model_version != "latest":
            raise ValueError(
                f"the name {self.name!r} already holds a version; leave the version {self.model_version!r} out"
            )
        return self
