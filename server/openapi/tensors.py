"""Schemas of the Open Inference Protocol and of Triton's extensions of it."""

from server.openapi.predictions import PROTOCOL_ERROR
from server.openapi.schemas import (
    BINARY,
    BOOLEAN,
    IMAGE,
    IMAGE_FILE,
    INTEGER,
    JSON,
    REQUEST_PARAMETERS,
    SQUARE,
    TEXT,
    Operation,
    Schema,
    any_of,
    array_of,
    json_reply,
    list_of,
    named,
    object_schema,
    open_object,
    parameter,
    path_parameters,
    request_body,
)

_PARAMETERS = open_object("Options of a tensor.")
_SHAPE = array_of({"type": "integer", "minimum": 0})
_PIXELS = array_of({"type": "integer", "minimum": 0, "maximum": 255})


def _input(name: str, datatype: str, data: Schema) -> Schema:
    kinds = {"name": {"type": "string", "const": "image"}, "datatype": {"type": "string", "const": datatype}}
    return named(name, object_schema({**kinds, "shape": _SHAPE, "data": data}))


_REQUEST = named(
    "InferRequest",
    object_schema(
        {
            "inputs": {
                **array_of(
                    any_of(_input("EncodedImages", "BYTES", array_of(IMAGE)), _input("Pixels", "UINT8", _PIXELS))
                ),
                "maxItems": 1,
            }
        },
        id=TEXT,
        outputs=array_of(
            named(
                "RequestedOutput",
                object_schema(
                    {"name": {"type": "string", "enum": ["probs", "label", "predictions"]}}, parameters=_PARAMETERS
                ),
            )
        ),
        parameters=REQUEST_PARAMETERS,
    ),
)
_TENSOR = {"name": TEXT, "datatype": TEXT, "shape": list_of(INTEGER)}
_OUTPUT = named("OutputTensor", object_schema(_TENSOR, data={"type": "array", "items": {}}, parameters=_PARAMETERS))
_REPLY = named(
    "InferReply",
    object_schema({"model_name": TEXT, "model_version": TEXT, "outputs": list_of(_OUTPUT)}, id=TEXT),
)
_EXAMPLE = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [SQUARE]}]}
BINARY_HEADER = "inference-header-content-length"  # the bytes of JSON before binary data
INFER: Operation = {
    "parameters": [parameter("header", BINARY_HEADER)],
    **request_body({JSON: _REQUEST, BINARY: IMAGE_FILE}, examples={"an image in base64": _EXAMPLE}),
    # or binary data, where a request asks for it; a second type here would make generated clients ask which one came
    **json_reply(_REPLY, error=PROTOCOL_ERROR),
}

_METADATA = named("TensorMetadata", object_schema(_TENSOR))
_CONFIGURED = named(
    "TensorConfiguration",
    object_schema(
        {"name": TEXT, "data_type": TEXT, "dims": list_of(INTEGER)},
        reshape=named("TensorReshape", object_schema({"shape": list_of(INTEGER)})),
    ),
)
_DURATION = named("StatisticDuration", object_schema({"count": INTEGER, "ns": INTEGER}))
_DURATIONS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")
_MODEL_STATISTICS = named(
    "ModelStatistics",
    object_schema(
        {
            "name": TEXT,
            "version": TEXT,
            "inference_count": INTEGER,
            "execution_count": INTEGER,
            "inference_stats": named("InferenceStatistics", object_schema(dict.fromkeys(_DURATIONS, _DURATION))),
            "batch_stats": {"type": "array", "items": {}},
        }
    ),
)

SERVER_METADATA = json_reply(
    named("ServerMetadata", object_schema({"name": TEXT, "version": TEXT, "extensions": list_of(TEXT)})),
    error=PROTOCOL_ERROR,
)
SERVER_LIVE = json_reply(named("ServerLiveness", object_schema({"live": BOOLEAN})), error=PROTOCOL_ERROR)
SERVER_READY = json_reply(named("ServerReadiness", object_schema({"ready": BOOLEAN})), error=PROTOCOL_ERROR)
STATISTICS = json_reply(
    named("StatisticsReply", object_schema({"model_stats": list_of(_MODEL_STATISTICS)})), error=PROTOCOL_ERROR
)
_OF_MODEL: Operation = {"parameters": path_parameters("{model}")}
MODEL_STATISTICS = STATISTICS | _OF_MODEL
MODEL_READY = _OF_MODEL | json_reply(
    named("ModelReadiness", object_schema({"name": TEXT, "ready": BOOLEAN})), error=PROTOCOL_ERROR
)
MODEL_METADATA = _OF_MODEL | json_reply(
    named(
        "ModelMetadata",
        object_schema(
            {
                "name": TEXT,
                "versions": list_of(TEXT),
                "platform": TEXT,
                "inputs": list_of(_METADATA),
                "outputs": list_of(_METADATA),
                "parameters": open_object("Architecture, labels, sizes and signature."),
            }
        ),
    ),
    error=PROTOCOL_ERROR,
)
MODEL_CONFIGURATION = _OF_MODEL | json_reply(
    named(
        "ModelConfiguration",
        object_schema(
            {
                "name": TEXT,
                "platform": TEXT,
                "backend": TEXT,
                "max_batch_size": INTEGER,
                "input": list_of(_CONFIGURED),
                "output": list_of(_CONFIGURED),
                "dynamic_batching": open_object("Its presence says that requests share batches."),
            }
        ),
    ),
    error=PROTOCOL_ERROR,
)
REPOSITORY_INDEX: Operation = {
    **request_body({JSON: named("RepositoryIndexRequest", object_schema({}, ready=BOOLEAN))}, required=False),
    **json_reply(
        list_of(
            named(
                "RepositoryEntry",
                object_schema(
                    {
                        "name": TEXT,
                        "version": TEXT,
                        "state": {"type": "string", "enum": ["READY", "LOADING", "UNAVAILABLE"]},
                        "reason": TEXT,
                    }
                ),
            )
        ),
        error=PROTOCOL_ERROR,
    ),
}
