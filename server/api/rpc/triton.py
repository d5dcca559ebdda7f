"""What Triton adds to the protocol and its tools ask: the configuration, the statistics, and the index of models.

The messages are those of https://github.com/triton-inference-server/common/tree/main/protobuf, with the fields that
have a value here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from server.api.rpc.call import RpcCall
from server.api.rpc.messages import Fields, Messages
from server.codecs.model_descriptions import model_configuration, model_statistics, repository_index
from server.inference.statistics import read_statistics

_NAMED: Fields = {"name": "string", "version": "string"}
_DURATIONS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")
_TYPES = {"TYPE_FP32": 11, "TYPE_STRING": 13}  # numbers of an enumeration

TRITON = Messages(
    "inference",
    {
        "ModelTensorReshape": {"shape": "int64*"},
        "ModelInput": {
            "name": "string",
            "data_type": "int32",
            "dims": "int64*@4",
            "reshape": "ModelTensorReshape@5",
        },
        "ModelOutput": {
            "name": "string",
            "data_type": "int32",
            "dims": "int64*",
            "reshape": "ModelTensorReshape@5",
        },
        "ModelDynamicBatching": {},
        "ModelConfig": {
            "name": "string",
            "platform": "string",
            "max_batch_size": "int32@4",
            "input": "ModelInput*@5",
            "output": "ModelOutput*@6",
            "dynamic_batching": "ModelDynamicBatching@11",
            "backend": "string@17",
        },
        "ModelConfigRequest": _NAMED,
        "ModelConfigResponse": {"config": "ModelConfig"},
        "StatisticDuration": {"count": "uint64", "ns": "uint64"},
        "InferStatistics": dict.fromkeys(_DURATIONS, "StatisticDuration"),
        "ModelStatistics": {
            "name": "string",
            "version": "string",
            "inference_count": "uint64@4",
            "execution_count": "uint64@5",
            "inference_stats": "InferStatistics@6",
        },
        "ModelStatisticsRequest": _NAMED,
        "ModelStatisticsResponse": {"model_stats": "ModelStatistics*"},
        "RepositoryIndexRequest": {"repository_name": "string", "ready": "bool"},
        "RepositoryIndexResponse.ModelIndex": {
            "name": "string",
            "version": "string",
            "state": "string",
            "reason": "string",
        },
        "RepositoryIndexResponse": {"models": "RepositoryIndexResponse.ModelIndex*"},
    },
)


async def _model_config(call: RpcCall) -> bytes:
    request = TRITON.parse("ModelConfigRequest", await call.small_message())
    config = model_configuration(call.state.deployments.model_named(request.name, request.version or None))
    for tensor in (*config["input"], *config["output"]):
        tensor["data_type"] = _TYPES[tensor["data_type"]]
    return TRITON.serialized("ModelConfigResponse", config=config)


async def _model_statistics(call: RpcCall) -> bytes:
    request = TRITON.parse("ModelStatisticsRequest", await call.small_message())
    deployments = call.state.deployments
    models = deployments.models
    if request.name:
        models = [deployments.model_named(request.name, request.version or None)]
    stats = model_statistics(models, await asyncio.to_thread(read_statistics))
    for each in stats:
        del each["batch_stats"]
    return TRITON.serialized("ModelStatisticsResponse", model_stats=stats)


async def _repository_index(call: RpcCall) -> bytes:
    request = TRITON.parse("RepositoryIndexRequest", await call.small_message())
    models = repository_index(call.state.deployments.models, only_ready=request.ready)
    return TRITON.serialized("RepositoryIndexResponse", models=models)


METHODS: Mapping[str, Callable[[RpcCall], Awaitable[bytes]]] = {
    "ModelConfig": _model_config,
    "ModelStatistics": _model_statistics,
    "RepositoryIndex": _repository_index,
}
