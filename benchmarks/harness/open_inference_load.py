"""The same images by the Open Inference Protocol over REST or gRPC, from clients that only count replies.

Run as a process of its own: python -m benchmarks.harness.open_inference_load rest|grpc PORT MODEL CLIENTS SECONDS.
Each client has a connection of its own, and sends its next request when the last one is answered. Requests are built
beforehand, with binary tensors. Prints one JSON object: answers by code, seconds, and the latency of every answer.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import grpc
import numpy as np
import tritonclient.grpc
import tritonclient.http
import uvloop
from grpc import aio

from benchmarks.harness.load import KeepAliveConnection
from benchmarks.harness.payload import encoded_images

_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_Send = Callable[[bytes], Awaitable[str]]
_Client = Callable[[int], AbstractAsyncContextManager[_Send]]


def rest_requests(model: str) -> Sequence[bytes]:
    """Return a complete HTTP/1.1 request for each image."""
    requests = []
    for image in encoded_images():
        tensor = tritonclient.http.InferInput("image", [1], "BYTES")
        tensor.set_data_from_numpy(np.array([image], dtype=object))
        body, length = tritonclient.http.InferenceServerClient.generate_request_body([tensor])
        head = (
            f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: benchmark\r\nContent-Length: {len(body)}\r\n"
            f"Inference-Header-Content-Length: {length}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


def grpc_requests(model: str) -> Sequence[bytes]:
    """Return a ModelInferRequest for each image."""
    requests = []
    for image in encoded_images():
        request = tritonclient.grpc.service_pb2.ModelInferRequest(model_name=model)
        request.inputs.add(name="image", datatype="BYTES", shape=[1])
        request.raw_input_contents.append(len(image).to_bytes(4, "little") + image)
        requests.append(request.SerializeToString())
    return requests


@asynccontextmanager
async def rest_client(port: int) -> AsyncIterator[_Send]:
    """Open a connection; sending returns the status."""
    connection = KeepAliveConnection(port)

    async def send(request: bytes) -> str:
        return str(await connection.send(request))

    yield send
    connection.close()


@asynccontextmanager
async def grpc_client(port: int) -> AsyncIterator[_Send]:
    """Open a channel; sending returns the code, 200 for OK."""
    async with aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        infer = channel.unary_unary(_METHOD)

        async def send(request: bytes) -> str:
            try:
                await infer(request)
            except grpc.RpcError as error:
                return str(error.code().name)
            return "200"

        yield send


async def closed_loop(client: _Client, requests: Sequence[bytes], options: argparse.Namespace) -> dict[str, object]:
    """Keep as many requests in flight as there are clients."""
    codes: Counter[str] = Counter()
    latencies: list[float] = []
    started = time.perf_counter()

    async def run(number: int) -> None:
        async with client(options.port) as send:
            index = number
            while (sent := time.perf_counter()) < started + options.seconds:
                codes[await send(requests[index % len(requests)])] += 1
                latencies.append(time.perf_counter() - sent)
                index += options.clients

    await asyncio.gather(*map(run, range(options.clients)))
    return {"codes": codes, "seconds": time.perf_counter() - started, "latencies": latencies}


def main() -> None:
    """Run one load and print its result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.harness.open_inference_load")
    parser.add_argument("way", choices=("rest", "grpc"))
    parser.add_argument("port", type=int)
    parser.add_argument("model")
    parser.add_argument("clients", type=int)
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    client, requests = (
        (rest_client, rest_requests(options.model))
        if options.way == "rest"
        else (grpc_client, grpc_requests(options.model))
    )
    json.dump(uvloop.run(closed_loop(client, requests, options)), sys.stdout)


if __name__ == "__main__":
    main()
