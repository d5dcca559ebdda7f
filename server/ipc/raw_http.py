"""RawRequest and RawReply: an unparsed HTTP request and its response, between HTTP processes and those of a script.

Imports the standard library only: the process that runs a user's script imports this file too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.ipc.frame import Frame, FrameKind

Headers = Sequence[tuple[str, str]]  # names and values in their order; a name may come more than once


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request. `query` is the encoded text after the question mark. Names of `headers` are in lower case."""

    method: str
    path: str = "/score"
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    request_id: str = ""

    def fields(self, deadline: float) -> dict[str, Any]:
        """Return all but the body as the fields of a frame. The request ends at `deadline` (monotonic seconds)."""
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": list(self.headers),
            "request_id": self.request_id,
            "deadline": deadline,
        }

    @classmethod
    def of(cls, frame: Frame) -> "RawRequest":
        """Return the request that is in a frame with these `fields` and its body."""
        fields = frame.fields
        return cls(
            method=fields["method"],
            path=fields["path"],
            query=fields["query"],
            headers=_pairs(fields["headers"]),
            body=frame.blobs[0],
            request_id=fields["request_id"],
        )


@dataclass(frozen=True, slots=True)
class RawReply:
    """The response of a script.

    `failed` says whether the script marked it as a failure. `exec_ms` is the time of `run()`, None where it was not
    called. `stages` are the seconds spent in each stage.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    failed: bool = False
    exec_ms: float | None = None
    stages: Mapping[str, float] = field(default_factory=dict)

    def frame(self, number: int) -> Frame:
        """Return the response as the frame with this number."""
        fields: dict[str, Any] = {
            "status": self.status,
            "headers": list(self.headers),
            "failed": self.failed,
            "exec_ms": self.exec_ms,
            "stages": dict(self.stages),
        }
        return Frame(FrameKind.RESULT, number, fields, [self.body])

    @classmethod
    def of(cls, frame: Frame) -> "RawReply":
        """Return the response that is in a frame."""
        fields = frame.fields
        return cls(
            status=fields["status"],
            headers=_pairs(fields["headers"]),
            body=frame.blobs[0],
            failed=fields["failed"],
            exec_ms=fields["exec_ms"],
            stages=fields["stages"],
        )


def _pairs(headers: Sequence[Sequence[str]]) -> Headers:
    return tuple((name, value) for name, value in headers)
