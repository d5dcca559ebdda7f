"""Calls over gRPC without stubs of ours: the messages are those of tritonclient, which others generated."""

from typing import Any

import grpc
from tritonclient.grpc import service_pb2

METHODS = "/inference.GRPCInferenceService/"


def infer_request(*images: bytes, model: str = "fridge", **fields: Any) -> Any:
    """Return a ModelInferRequest with encoded images as raw data."""
    request = service_pb2.ModelInferRequest(model_name=model, **fields)
    request.inputs.add(name="image", datatype="BYTES", shape=[len(images)])
    request.raw_input_contents.append(b"".join(len(image).to_bytes(4, "little") + image for image in images))
    return request


def infer(channel: Any) -> Any:
    """Return the callable of ModelInfer on a channel, of grpc or grpc.aio."""
    return channel.unary_unary(
        METHODS + "ModelInfer",
        service_pb2.ModelInferRequest.SerializeToString,
        service_pb2.ModelInferResponse.FromString,
    )


def trailing(call: Any) -> dict[str, Any]:
    """Return the trailing metadata of a call or an error."""
    return dict(call.trailing_metadata() or ())


def channel_to(address: str, **options: int) -> grpc.Channel:
    """Open a channel with a connection of its own; `options` are channel arguments without their prefix."""
    arguments = {"grpc.use_local_subchannel_pool": 1, **{f"grpc.{name}": value for name, value in options.items()}}
    return grpc.insecure_channel(address, options=[*arguments.items()])
