"""The messages that travel over gRPC, as classes of the protobuf library.

The names, numbers and types of the fields are those of the Open Inference Protocol
(https://github.com/kserve/open-inference-protocol), of gRPC's health checks
(https://github.com/grpc/grpc/blob/master/doc/health-checking.md) and of Google's details of errors
(https://github.com/googleapis/googleapis/tree/master/google/rpc).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from server.errors import ServiceError

# the fields of a message in the order of their numbers, from 1 on: "*" repeats, "map" is from texts, "|" is one of, and
# "@" gives another number
Fields = Mapping[str, str]
_TENSOR: Fields = {"name": "string", "datatype": "string", "shape": "int64*", "parameters": "map InferParameter"}
_NAMED: Fields = {"name": "string", "version": "string"}

_INFERENCE: Mapping[str, Fields] = {
    "ServerLiveRequest": {},
    "ServerLiveResponse": {"live": "bool"},
    "ServerReadyRequest": {},
    "ServerReadyResponse": {"ready": "bool"},
    "ModelReadyRequest": _NAMED,
    "ModelReadyResponse": {"ready": "bool"},
    "ServerMetadataRequest": {},
    "ServerMetadataResponse": {"name": "string", "version": "string", "extensions": "string*"},
    "ModelMetadataRequest": _NAMED,
    "ModelMetadataResponse.TensorMetadata": {"name": "string", "datatype": "string", "shape": "int64*"},
    "ModelMetadataResponse": {
        "name": "string",
        "versions": "string*",
        "platform": "string",
        "inputs": "ModelMetadataResponse.TensorMetadata*",
        "outputs": "ModelMetadataResponse.TensorMetadata*",
        "properties": "map string",
    },
    "InferParameter": {
        "bool_param": "bool|",
        "int64_param": "int64|",
        "string_param": "string|",
        "double_param": "double|",
        "uint64_param": "uint64|",
    },
    "InferTensorContents": {
        "bool_contents": "bool*",
        "int_contents": "int32*",
        "int64_contents": "int64*",
        "uint_contents": "uint32*",
        "uint64_contents": "uint64*",
        "fp32_contents": "float*",
        "fp64_contents": "double*",
        "bytes_contents": "bytes*",
    },
    "ModelInferRequest.InferInputTensor": {**_TENSOR, "contents": "InferTensorContents"},
    "ModelInferRequest.InferRequestedOutputTensor": {"name": "string", "parameters": "map InferParameter"},
    "ModelInferRequest": {
        "model_name": "string",
        "model_version": "string",
        "id": "string",
        "parameters": "map InferParameter",
        "inputs": "ModelInferRequest.InferInputTensor*",
        "outputs": "ModelInferRequest.InferRequestedOutputTensor*",
        "raw_input_contents": "bytes*",
    },
    "ModelInferResponse.InferOutputTensor": {**_TENSOR, "contents": "InferTensorContents"},
    "ModelInferResponse": {
        "model_name": "string",
        "model_version": "string",
        "id": "string",
        "parameters": "map InferParameter",
        "outputs": "ModelInferResponse.InferOutputTensor*",
        "raw_output_contents": "bytes*",
    },
}
_HEALTH: Mapping[str, Fields] = {
    "HealthCheckRequest": {"service": "string"},
    "HealthCheckResponse": {"status": "int32"},  # an enumeration there, which travels the same way
}
_ERRORS: Mapping[str, Fields] = {
    "Status": {"code": "int32", "message": "string", "details": ".google.protobuf.Any*"},
    "ErrorInfo": {"reason": "string", "domain": "string", "metadata": "map string"},
    "RetryInfo": {"retry_delay": ".google.protobuf.Duration"},
    "BadRequest.FieldViolation": {"field": "string", "description": "string", "reason": "string"},
    "BadRequest": {"field_violations": "BadRequest.FieldViolation*"},
}


class Messages:
    """The messages of one package, by name: `messages["ModelInferRequest"]()`.

    They are in a pool of their own. In that of the library, the same messages from another program's generated code
    would be an error.
    """

    def __init__(self, package: str, messages: Mapping[str, Fields]) -> None:
        pool = DescriptorPool()
        file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
        for known in (any_pb2, duration_pb2):
            pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
            file.dependency.append(known.DESCRIPTOR.name)
        by_name: dict[str, DescriptorProto] = {}
        for name in sorted(messages, key=lambda name: name.count(".")):
            parent, _, own = name.rpartition(".")
            siblings: Any = by_name[parent].nested_type if parent else file.message_type
            by_name[name] = siblings.add(name=own)
        for name, fields in messages.items():
            for number, (field, kind) in enumerate(fields.items(), start=1):
                _add_field(by_name[name], f".{package}.", field, number, kind)
        pool.AddSerializedFile(file.SerializeToString())
        self._classes = {name: GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}

    def __getitem__(self, name: str) -> Any:
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def parse(self, name: str, data: bytes) -> Any:
        """Parse a message; ServiceError `input_invalid` where the bytes are none of that name."""
        try:
            return self._classes[name].FromString(data)
        except DecodeError as error:
            raise ServiceError("input_invalid", f"The message is not a {name}: {error}.") from None

    def serialized(self, name: str, /, **fields: Any) -> bytes:
        """Return a message with these fields as bytes."""
        return bytes(self._classes[name](**fields).SerializeToString())


def _add_field(message: DescriptorProto, package: str, name: str, number: int, kind: str) -> None:
    """Add the field `name` of the type that `kind` describes."""
    repeated = FieldDescriptorProto.LABEL_REPEATED
    kind, _, other_number = kind.partition("@")
    number = int(other_number or number)
    field = message.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if kind.startswith("map "):
        entry = message.nested_type.add(name="".join(map(str.capitalize, name.split("_"))) + "Entry")
        entry.options.map_entry = True
        _add_field(entry, package, "key", 1, "string")
        _add_field(entry, package, "value", 2, kind.removeprefix("map "))
        field.type, field.label = FieldDescriptorProto.TYPE_MESSAGE, repeated
        field.type_name = entry.name
        return
    if kind.endswith("*"):
        kind, field.label = kind.removesuffix("*"), repeated
    elif kind.endswith("|"):
        kind, field.oneof_index = kind.removesuffix("|"), 0
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
    scalar = f"TYPE_{kind.upper()}"
    if scalar in FieldDescriptorProto.Type.keys():  # noqa: SIM118 - it has no other way to ask
        field.type = FieldDescriptorProto.Type.Value(scalar)
    else:
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = kind if kind.startswith(".") else package + kind


INFERENCE = Messages("inference", _INFERENCE)
HEALTH = Messages("grpc.health.v1", _HEALTH)
ERROR_DETAILS = Messages("google.rpc", _ERRORS)
