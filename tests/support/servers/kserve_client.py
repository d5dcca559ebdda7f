"""Calls a server over gRPC by KServe's own client and prints the replies, as JSON.

Command: PYTHON tests/support/servers/kserve_client.py HOST:PORT MODEL IMAGE. Its packages need others than the tests
do, so PYTHON is that of an environment made by `pip install kserve==0.21.0`.
"""

import asyncio
import json
import sys
from pathlib import Path

import grpc
import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest


async def main() -> None:
    """Print what the client says of the server, of an image given in both ways, and of a model that is not there."""
    address, model, file = sys.argv[1:]
    client, image = InferenceGRPCClient(address), Path(file).read_bytes()
    typed, raw = InferInput("image", [1], "BYTES", data=[image]), InferInput("image", [1], "BYTES")
    raw.set_data_from_numpy(np.array([image], dtype=object))
    found = {
        "live": await client.is_server_live(),
        "ready": await client.is_server_ready(),
        "model ready": await client.is_model_ready(model),
    }
    for name, tensor in (("typed", typed), ("raw", raw)):
        outputs = (await client.infer(InferRequest(model, [tensor]))).outputs
        found[name] = {output.name: np.asarray(output.as_numpy()).tolist() for output in outputs}
        found[name]["label"] = [label.decode() for label in found[name]["label"]]
    try:
        await client.infer(InferRequest("frige", [raw]))
    except grpc.RpcError as error:
        found["unknown"] = [error.code().name, error.details()]
    await client.close()
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
