"""HttpConnection: one connection of a client, which is uvicorn's with bounds, strict HTTP and without upgrades."""

import asyncio
import math
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from server.api.connections.lingering_transport import LingeringTransport
from server.api.connections.open_connections import OpenConnections
from server.api.connections.request_head import MAX_BYTES, MAX_FIELDS, check_head, malformed, too_large
from server.errors import ServiceError

_MOST_PIPELINED = 100
# a chunk of one byte of a body takes five bytes around it
_FRAMING_PER_BYTE = 8

REFUSAL = "refusal"  # the key in a request's state of the ServiceError that RequestMiddleware answers


class HttpConnection(HttpToolsProtocol):
    """Reads requests and writes responses, both by uvicorn.

    A request that cannot be read any further becomes one with a refusal in its state, so that its response, log line
    and metrics are made like those of others. The connection closes after it, and what follows is thrown away.
    """

    def __init__(self, connections: OpenConnections, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self.parser = self._strict_parser()
        self.was_served = False
        self.over_limit = False
        self._connections = connections
        self._fault: ServiceError | None = None  # why a callback stopped the parser
        self._last = False  # no request may follow
        self._upgrades = False
        self._refused = False  # what follows is no request
        self._closing: LingeringTransport
        self._unread = math.inf  # bytes of the response that waited for the client when it was looked at last
        self._begin_part(in_head=True)

    def _strict_parser(self) -> httptools.HttpRequestParser:
        return httptools.HttpRequestParser(self)

    def _begin_part(self, *, in_head: bool) -> None:
        """Count anew: a message has a head, and then a body with its trailers."""
        self._part = object()
        self._in_head = in_head
        self._fields = self._field_bytes = 0
        self._framing_bytes = self._body_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take up the connection."""
        super().connection_made(transport)
        self._closing = LingeringTransport(transport, self.loop, self._client_sends)
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._connections.closed(self)

    def pause_writing(self) -> None:
        """Wait for a client that does not read its response."""
        super().pause_writing()
        self._unread = math.inf
        self._connections.waits(self)

    def resume_writing(self) -> None:
        """Go on with the response."""
        super().resume_writing()
        if self.cycle is not None and not self.cycle.response_complete:
            self._connections.works(self)

    def data_received(self, data: bytes) -> None:
        """Read what the client sent."""
        if self._closing.lingers:
            self._closing.received(len(data))
        if self._last and self._in_head:
            return
        self._unset_keepalive_if_required()
        part, body_bytes = self._part, self._body_bytes
        if self._in_head and not self._framing_bytes and self._is_idle:
            self._connections.waits(self)  # for the rest of the head
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            if self._fault is not None or not (self._last and self._in_head):
                self._refuse(self._fault or malformed(error.__context__ or error))
            return
        if part is self._part:  # the data before another part belongs to several, but is no more than one read
            self._framing_bytes += len(data) - (self._body_bytes - body_bytes)
            if self._framing_bytes > MAX_BYTES + _FRAMING_PER_BYTE * self._body_bytes:
                self._refuse(too_large())

    def _client_sends(self) -> bool:
        """Tell whether more may be on its way: the rest of a body, or of what is no request."""
        return self._refused or not self._in_head

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _read_without_upgrade(self, rest: bytes) -> None:
        """Read the request again as if it had no Upgrade header, as RFC 9110, 7.8 allows: the parser skips its body."""
        self._upgrades = False
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        fields = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        head = b"\r\n".join([b"%s %s HTTP/%s" % (method, self.url, version), *fields, b"", b""])
        self.parser = self._strict_parser()
        self.data_received(head + rest)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Trailers are counted and dropped, since they come too late to be one."""
        self._fields += 1
        self._field_bytes += len(name) + len(value) + 4
        if self._fields > MAX_FIELDS or self._field_bytes > MAX_BYTES:
            self._stop(too_large())
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Check the head, and start the request."""
        if self._field_bytes + len(self.url) > MAX_BYTES:
            self._stop(too_large())
        method = self.parser.get_method()
        try:
            check_head(method, self.parser.get_http_version(), self.headers)
        except ServiceError as error:
            self._stop(error)
        if self.over_limit and method not in (b"GET", b"HEAD"):
            self._stop(ServiceError("too_many_connections", "Too many clients are connected. Try again later."))
        if len(self.pipeline) >= _MOST_PIPELINED:
            self._stop(
                ServiceError("queue_full", f"{_MOST_PIPELINED} requests wait for their turn on this connection.")
            )
        if self.parser.should_upgrade():
            self._upgrades = True
            return
        super().on_headers_complete()
        self.cycle.transport = self._closing
        self.was_served = True
        self._connections.works(self)
        self._begin_part(in_head=False)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if not self._upgrades:
            super().on_message_complete()
            self._last = self._last or not self.parser.should_keep_alive()
        self._begin_part(in_head=True)
        if self._closing.lingers:  # and the client has sent all of its request
            self._closing.end()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is there."""
        if self._closing.lingers:  # nothing more can be answered
            self._last = True
            self.pipeline.clear()
        super().on_response_complete()
        if self._is_idle:
            self._unread = math.inf
            self._connections.waits(self)

    def expire(self) -> bool:
        """Close a connection that waited too long. False where its client has read some of the response meanwhile."""
        unread = self.transport.get_write_buffer_size()
        if 0 < unread < self._unread:
            self._unread = unread
            return False
        if unread or self.transport.is_closing():
            self.abort()
        elif self._in_head and self._framing_bytes:
            self._refuse(ServiceError("headers_timeout", "The headers of the request did not arrive in time."))
        else:
            self.transport.close()
        return True

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()

    def _stop(self, error: ServiceError) -> None:
        """End the parser from within one of its callbacks."""
        self._fault = error
        raise error

    def _refuse(self, error: ServiceError) -> None:
        """Answer a request that cannot be read to its end, and close the connection after that."""
        cycle = self._unread_request() if self._in_head else self.cycle
        cycle.scope["state"][REFUSAL] = error
        cycle.keep_alive = False
        self._refused, self._last, self._in_head = True, True, True
        if cycle.response_complete:
            self._closing.close()
        cycle.message_event.set()
        self.flow.resume_reading()

    def _unread_request(self) -> RequestResponseCycle:
        """Start a request of which only some headers are known, after those that came before."""
        before, headers = self.cycle, self.headers or []
        self.on_message_begin()
        self.scope["method"], self.scope["path"], self.scope["headers"] = "-", "", headers
        self.scope["raw_path"] = self.scope["query_string"] = b""
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self._closing,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.pipeline.appendleft((self.cycle, self.app))
        return self.cycle
