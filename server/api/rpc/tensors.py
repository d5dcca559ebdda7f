"""ModelInferRequest -> what the protocol reads, and output tensors -> ModelInferResponse."""

from collections.abc import Sequence
from typing import Any

from server.api.rpc.messages import INFERENCE
from server.codecs.pixel_lists import not_uint8
from server.codecs.tensor_outputs import Tensor
from server.errors import ServiceError
from server.protocols.open_inference import InferenceContent, InferenceNote

_CONTENTS = {"BYTES": "bytes_contents", "UINT8": "uint_contents"}


def content_of(request: Any) -> InferenceContent:
    """Return a ModelInferRequest in the form that its JSON has, with the tensor's raw data apart.

    ServiceError `input_invalid` where the data are in neither of the two places for them, or in both.
    """
    inputs, raw = [_tensor(tensor) for tensor in request.inputs], request.raw_input_contents
    if raw and len(raw) != len(inputs):
        message = f"There are {len(raw)} `raw_input_contents` for {len(inputs)} inputs; expected one for each."
        raise ServiceError("input_invalid", message)
    if raw and any("data" in tensor for tensor in inputs):
        message = "The data are in `contents` and in `raw_input_contents`; expected them in one of the two."
        raise ServiceError("input_invalid", message)
    if not raw and any("data" not in tensor for tensor in inputs):
        raise ServiceError("input_invalid", "The input has no data; expected `raw_input_contents` or `contents`.")
    binary = raw[0] if raw else b""
    for tensor in inputs if raw else ():
        tensor["parameters"] = {"binary_data_size": len(binary)}
    head = {
        "inputs": inputs,
        "id": request.id or None,
        "parameters": _parameters(request.parameters),
        "outputs": [{"name": each.name, "parameters": _parameters(each.parameters)} for each in request.outputs],
    }
    return InferenceContent(head, binary)


def _tensor(tensor: Any) -> dict[str, Any]:
    head: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
    if tensor.HasField("contents"):
        field = _CONTENTS.get(tensor.datatype, "")
        others = [known.name for known, _ in tensor.contents.ListFields() if known.name != field]
        if others and field:
            text = f"The data of {tensor.datatype} are in `{others[0]}`; expected `{field}` or `raw_input_contents`."
            raise ServiceError("input_invalid", text)
        values = getattr(tensor.contents, field, ())
        head["data"] = _bytes(values) if tensor.datatype == "UINT8" else list(values)
    return head


def _bytes(values: Sequence[int]) -> bytes:
    try:
        return bytes(values)
    except ValueError:
        raise not_uint8() from None


def _parameters(parameters: Any) -> dict[str, Any]:
    found = {}
    for name, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        found[name] = getattr(parameter, choice) if choice else None
    return found


def response_of(note: InferenceNote, version: int | None, tensors: Sequence[Tensor], *, raw: bool) -> bytes:
    """Return a ModelInferResponse; its data are `raw` where those of the request were."""
    response = INFERENCE["ModelInferResponse"](
        model_name=note.model, model_version=str(version or 1), id=note.request_id or ""
    )
    for tensor in tensors:
        output = response.outputs.add(**tensor.metadata())
        if raw:
            response.raw_output_contents.append(tensor.binary_data())
        elif tensor.datatype == "FP32":
            output.contents.fp32_contents.extend(tensor.values)
        else:
            output.contents.bytes_contents.extend(str(value).encode() for value in tensor.values)
    return bytes(response.SerializeToString())
