"""Health checks by gRPC's own protocol, which Kubernetes and load balancers ask.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

import asyncio
from collections.abc import AsyncIterator

from server.api.rpc.call import RpcCall
from server.api.rpc.messages import HEALTH
from server.api.rpc.service import SERVICE
from server.errors import ServiceError
from settings.excerpt import excerpt

CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
_LIVE = "live"
_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = 1, 2, 3  # of the protocol's enumeration
_POLL_S = 0.2


async def check(call: RpcCall) -> bytes:
    """Tell whether a score would succeed now; for the service `live`, that the process answers at all."""
    service = await _service(call)
    status = _status(call, service)
    if status == _SERVICE_UNKNOWN:
        known = f"'' and {SERVICE!r} (readiness), {_LIVE!r}"
        raise ServiceError("not_found", f"There is no health of {excerpt(service)}. Known: {known}.")
    return _written(status)


async def watch(call: RpcCall) -> AsyncIterator[bytes]:
    """Tell the same at once and after each change, until the server stops."""
    service, told = await _service(call), 0
    while True:
        draining, status = call.state.deployments.draining, _status(call, service)
        if status != told:
            yield _written(status)
            told = status
        if draining:
            return
        await asyncio.sleep(_POLL_S)


async def _service(call: RpcCall) -> str:
    return str(HEALTH.parse("HealthCheckRequest", await call.small_message()).service)


def _status(call: RpcCall, service: str) -> int:
    if service == _LIVE:
        return _SERVING
    if service not in ("", SERVICE):
        return _SERVICE_UNKNOWN
    return _SERVING if call.state.deployments.accepts else _NOT_SERVING


def _written(status: int) -> bytes:
    return HEALTH.serialized("HealthCheckResponse", status=status)
