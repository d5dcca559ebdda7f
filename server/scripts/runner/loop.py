"""The life of a script's process: import and init() once, then a request after the other, until the host goes."""

import faulthandler
import socket
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from server.ipc.frame import Frame, FrameKind, FrameReader
from server.ipc.raw_http import RawRequest
from server.scripts.runner.inputs import InputError
from server.scripts.runner.parent_pipe import end_with_parent
from server.scripts.runner.script import Script, ScriptError
from server.scripts.runner.stand_ins import StandIns

_HERE = Path(__file__).parent
_CHUNK_BYTES = 2**18
_LONGEST_TRACEBACK = 50_000
_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."


def serve(channel: int, file: str, stand_ins: StandIns) -> None:
    """Host the script in `file` for whoever is at the other end of the socket with the number `channel`."""
    end_with_parent()
    faulthandler.enable()  # a crash in native code says where, in the log
    host = socket.socket(fileno=channel)
    host.set_inheritable(False)
    try:
        script = Script(Path(file), stand_ins)
        script.init()
    except BaseException as error:  # sys.exit() among them
        _send(
            host,
            Frame(FrameKind.STATE, fields={"ready": False, "reason": _reason(error), "traceback": _traceback(error)}),
        )
        return
    version = ".".join(map(str, sys.version_info[:3]))
    _send(host, Frame(FrameKind.STATE, fields={"ready": True, "takes": script.takes, "python": version}))
    for frame in _frames(host):
        _send(host, _answered(script, frame))


def _frames(host: socket.socket) -> Iterator[Frame]:
    reader = FrameReader()
    while data := host.recv(_CHUNK_BYTES):
        yield from reader.feed(data)


def _send(host: socket.socket, frame: Frame) -> None:
    for part in frame.parts():
        host.sendall(part)


def _answered(script: Script, frame: Frame) -> Frame:
    try:
        return script.answer(RawRequest.of(frame)).frame(frame.number)
    except InputError as error:
        return Frame(FrameKind.REFUSED, frame.number, {"code": error.code, "message": str(error)})
    except BaseException as error:  # a request that has the script exit is no reason to load the model anew
        fields = {"code": "script_failed", "message": _FAILED, "traceback": _traceback(error)}
        return Frame(FrameKind.REFUSED, frame.number, fields)


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, ScriptError) else f"it raised {type(error).__name__}: {error}"


def _traceback(error: BaseException) -> str:
    """Return the traceback from the script's own code on."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None and _is_ours(step.tb_frame.f_code.co_filename):
        step = step.tb_next
    return "".join(traceback.format_exception(type(error), error, step))[-_LONGEST_TRACEBACK:]


def _is_ours(file: str) -> bool:
    return Path(file).parent == _HERE or file.startswith("<frozen importlib")
