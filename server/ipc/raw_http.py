"""RawRequest and RawReply: an HTTP exchange as it is, between HTTP processes and the processes of a script.

Standard library only: the process that runs a user's script imports this too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.ipc.frame import Frame, FrameKind

Headers = Sequence[tuple[str, str]]  # names and values in their order; a name may come more than once


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request. `query` is what follows the question mark, still encoded; names of `headers` are in lower case."""

    method: str
    path: str = "/score"
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    request_id: str = ""

    def fields(self, deadline: float) -> dict[str, Any]:
        """Write it as the fields of a frame, but for its body; it is of no use after `deadline` (monotonic seconds)."""
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
        """Read what `fields` wrote."""
        found = frame.fields
        return cls(
            method=found["method"],
            path=found["path"],
            query=found["query"],
            headers=_pairs(found["headers"]),
            body=frame.blobs[0],
            request_id=found["request_id"],
        )


@dataclass(frozen=True, slots=True)
class RawReply:
    """What a script answers.

    `failed` says whether the script calls it a failure, `exec_ms` how long `run()` took, None where it was not called,
    and `stages` where the time went, in seconds.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    failed: bool = False
    exec_ms: float | None = None
    stages: Mapping[str, float] = field(default_factory=dict)

    def frame(self, number: int) -> Frame:
        """Write it as frame `number`."""
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
        """Read what `frame` wrote."""
        found = frame.fields
        return cls(
            status=found["status"],
            headers=_pairs(found["headers"]),
            body=frame.blobs[0],
            failed=found["failed"],
            exec_ms=found["exec_ms"],
            stages=found["stages"],
        )


def _pairs(found: Sequence[Sequence[str]]) -> Headers:
    return tuple((name, value) for name, value in found)
