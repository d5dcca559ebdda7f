"""GrpcServer: one HTTP process's share of --grpc-port, on the event loop that HTTP runs on."""

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import grpc
from grpc import aio

from server.api.request_log import UNKNOWN_ROUTE, RequestLog
from server.api.rpc import health
from server.api.rpc.call import RpcCall
from server.api.rpc.service import METHODS
from server.api.state import AppState
from server.errors import ServiceError
from settings.excerpt import shortened
from settings.server import ServerSettings

_MOST_STREAMS = 1000  # calls of one connection at a time; a client keeps further ones back
_MOST_RECEIVED_BYTES = 2**29  # of the largest messages, at the same time
_FEWEST_RECEIVED = 4
_LEAST_PING_MS = 5_000  # clients that ping more often, to keep a connection open, are disconnected


class GrpcServer:
    """Listens at `address`, HOST:PORT, beside the other HTTP processes; the kernel spreads connections among them."""

    def __init__(self, state: AppState, address: str) -> None:
        logging.getLogger("grpc").setLevel(logging.WARNING)  # it has a debug line for each call
        self._server = aio.server(handlers=[_Handlers(state)], options=_options(state.settings))
        self._server.add_insecure_port(address)

    async def start(self) -> None:
        """Accept calls."""
        await self._server.start()

    async def stop(self, grace_s: float) -> None:
        """Accept no more calls, and return once those in flight are answered, or cancelled after `grace_s` seconds."""
        await self._server.stop(grace_s)


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", settings.max_body_bytes),  # also where it arrives compressed
        ("grpc.max_concurrent_streams", _MOST_STREAMS),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.max_connection_idle_ms", settings.idle_timeout_ms),
        ("grpc.http2.min_ping_interval_without_data_ms", _LEAST_PING_MS),
        ("grpc.keepalive_permit_without_calls", 1),
    ]


class _Handlers:
    """Finds the handler of a call by the name of its method, as a grpc.GenericRpcHandler does.

    All methods that take one message are handled as if they took several: they start before the message is there, so
    that a call without a valid key ends without it being received.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._log = RequestLog(state.proxies)
        most = _MOST_RECEIVED_BYTES // state.settings.max_body_bytes
        self._receiving = asyncio.Semaphore(max(_FEWEST_RECEIVED, most))

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of a method."""
        method = handler_call_details.method
        if method == health.WATCH:
            return grpc.stream_stream_rpc_method_handler(self._watch)
        if method == health.CHECK:
            work: Any = health.check
        else:
            work = METHODS.get(method, partial(_unknown, method))
        route = method if method in METHODS or method == health.CHECK else UNKNOWN_ROUTE

        async def answer(messages: object, context: Any) -> bytes:
            call = RpcCall.of(self._state, context, self._receiving, route=route, path=method)
            return await call.answer(work, self._log)

        return grpc.stream_unary_rpc_method_handler(answer)

    async def _watch(self, messages: object, context: Any) -> AsyncIterator[bytes]:
        call = RpcCall.of(self._state, context, self._receiving, route=health.WATCH, path=health.WATCH)
        try:
            async for status in health.watch(call):
                yield status
        except ServiceError as error:
            await call.abort(error)


async def _unknown(method: str, call: RpcCall) -> bytes:
    raise ServiceError("method_not_allowed", f"There is no method {shortened(method, 200)}. See docs/protocols.md.")
