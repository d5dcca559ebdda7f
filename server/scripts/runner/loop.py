"""The main loop of a worker: imports the script, runs init() once, then one request after the other."""

import faulthandler
import socket
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from server.ipc.frame import Frame, FrameKind, FrameReader, FrameSizeError
from server.ipc.raw_http import RawRequest
from server.scripts.runner.hosted_modules import HostedModules
from server.scripts.runner.inputs import InputError
from server.scripts.runner.parent_pipe import end_with_parent
from server.scripts.runner.script import Script, ScriptError

_HERE = Path(__file__).parent
_CHUNK_BYTES = 2**18
_MAX_TRACEBACK = 50_000  # characters
_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."


def serve(channel: int, file: str, hosted_modules: HostedModules) -> None:
    """Run the script in `file` for the worker pool at the other end of the socket with the number `channel`."""
    end_with_parent()
    faulthandler.enable()  # logs the traceback of a crash in native code
    pool = socket.socket(fileno=channel)
    pool.set_inheritable(False)
    try:
        script = Script(Path(file), hosted_modules)
        script.init()
    except BaseException as error:  # sys.exit() among them
        _send(
            pool,
            Frame(FrameKind.STATE, fields={"ready": False, "reason": _reason(error), "traceback": _traceback(error)}),
        )
        return
    version = ".".join(map(str, sys.version_info[:3]))
    _send(pool, Frame(FrameKind.STATE, fields={"ready": True, "takes": script.takes, "python": version}))
    for frame in _frames(pool):
        reply = _answer(script, frame)
        try:
            _send(pool, reply)
        except FrameSizeError as error:
            _send(pool, _failure(frame, error))


def _frames(pool: socket.socket) -> Iterator[Frame]:
    reader = FrameReader()
    while data := pool.recv(_CHUNK_BYTES):
        yield from reader.feed(data)


def _send(pool: socket.socket, frame: Frame) -> None:
    for part in frame.parts():
        pool.sendall(part)


def _answer(script: Script, frame: Frame) -> Frame:
    try:
        return script.answer(RawRequest.of(frame)).frame(frame.number)
    except InputError as error:
        return Frame(FrameKind.REFUSED, frame.number, {"code": error.code, "message": str(error)})
    except BaseException as error:  # also sys.exit(): it must not end the process and the model with it
        return _failure(frame, error)


def _failure(frame: Frame, error: BaseException) -> Frame:
    fields = {"code": "script_failed", "message": _FAILED, "traceback": _traceback(error)}
    return Frame(FrameKind.REFUSED, frame.number, fields)


def _reason(error: BaseException) -> str:
    if isinstance(error, ScriptError):
        return str(error)
    raised = f"it raised {type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError):
        other = "or name a Python that has it by --script-python, such as that of another environment"
        return f"{raised}. Install it for {sys.executable}, which runs the script, {other}."
    return raised


def _traceback(error: BaseException) -> str:
    """Return the traceback without the frames of this package at its start."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None and _is_ours(step.tb_frame.f_code.co_filename):
        step = step.tb_next
    return "".join(traceback.format_exception(type(error), error, step))[-_MAX_TRACEBACK:]


def _is_ours(file: str) -> bool:
    return Path(file).parent == _HERE or file.startswith("<frozen importlib")
