"""Kills: processes ended by SIGKILL under load, several in a row."""

import signal
import threading
import time
from collections import Counter

import psutil

from benchmarks.failures.attacked_server import AttackedServer
from benchmarks.failures.bomb_images import jpeg_of_scans
from benchmarks.failures.numbered_load import REFUSED, NumberedLoad, image_request, images, numbers, send
from benchmarks.failures.scenario import FailureFamily, Finding, Scenario, SkipScenarioError, Trial, counted
from tests.support.servers.live_server import LiveServer

_CLIENTS = 4
_BACK_WITHIN_S = 40.0
_CHILDREN_END_WITHIN_S = 10.0


def _engine(trial: Trial) -> Finding:
    with trial.serve_model("--request-timeout-ms", "10000") as server:
        with NumberedLoad(server.port, images(server), _CLIENTS, pause_s=0.02) as load:
            slowest = _kill_in_a_row(server, load, "engine", trial.repeats if trial.ours else 3)
        return _judged(load, slowest, load.lost(), 0)


def _http_process(trial: Trial) -> Finding:
    with trial.serve_script() as server:
        with NumberedLoad(server.port, numbers(), _CLIENTS) as load:
            slowest = _kill_in_a_row(server, load, "http", trial.repeats)
        # a process that is killed closes its connections: what it had let in cannot be answered any more
        lost = max(0, load.lost() - trial.repeats * _CLIENTS) + load.twice(trial.recorded())
        return _judged(load, slowest, lost, 0)


def _decode_worker(trial: Trial) -> Finding:
    import torch

    if not torch.cuda.is_available():
        raise SkipScenarioError("none here: only engines of GPUs have decode workers")
    with trial.serve_model("--decode-workers", "2") as server:
        with NumberedLoad(server.port, images(server), _CLIENTS) as load:
            slowest = _kill_in_a_row(server, load, "decode worker", trial.repeats)
        return _judged(load, slowest, load.lost(), 0)


def _decoder(trial: Trial) -> Finding:
    """Kill what decodes a costly image, beside small ones, which it does not decode."""
    costly = image_request(jpeg_of_scans(100))
    outcomes: list[int | str] = []
    with trial.serve_model() as server:
        with NumberedLoad(server.port, images(server), 2, pause_s=0.05) as load:
            for _ in range(trial.repeats):
                sender = threading.Thread(target=lambda: outcomes.append(send(server.port, costly, 60)))
                sender.start()
                time.sleep(1)  # by then it decodes, for many seconds unless it is ended
                for decoder in server.role("decoder"):
                    decoder.kill()
                sender.join()
        codes = Counter(outcomes)
        lost = load.lost() + sum(isinstance(outcome, str) for outcome in outcomes)
        met = lost == 0 and set(load.outcomes()) <= {200, 429} and codes.keys() <= {200, 422, 503}
        seen = (
            f"costly images {counted(codes)}; small ones {counted(load.outcomes())}, slowest {load.slowest_s():.1f} s"
        )
        return Finding(met, seen, lost, len(load.exchanges) + len(outcomes))


def _script_worker(trial: Trial) -> Finding:
    with trial.serve_script("--workers", "2") as server:
        with NumberedLoad(server.port, numbers(0.01), _CLIENTS) as load:
            slowest = _kill_in_a_row(server, load, "script worker", trial.repeats)
        return _judged(load, slowest, load.lost() + load.twice(trial.recorded()), trial.repeats)


def _script_pool(trial: Trial) -> Finding:
    with trial.serve_script("--workers", "2") as server:
        with NumberedLoad(server.port, numbers(0.01), _CLIENTS, pause_s=0.01) as load:
            slowest = _kill_in_a_row(server, load, "script pool", trial.repeats)
        return _judged(load, slowest, load.lost() + load.twice(trial.recorded()), 0)


def _supervisor(trial: Trial) -> Finding:
    slowest, left = 0.0, 0
    with trial.serve_script() as server:
        port = server.port
        with NumberedLoad(port, numbers(), _CLIENTS) as load:
            time.sleep(0.5)
            left += _kill_family(server)
            # the port is free at once, though connections of the server that was killed may linger
            for _ in range(trial.repeats - 1):
                started = time.monotonic()
                with trial.serve_script(port=port) as again:
                    slowest = max(slowest, time.monotonic() - started)
                    time.sleep(0.2)
                    left += _kill_family(again)
            with trial.serve_script(port=port):
                served = load.answered_s(_BACK_WITHIN_S) is not None
                load.end()  # before the server does: this is not about how it ends
    # one that was let in, and one in the queue of the port that nobody has read, are cut off for each client
    lost = max(0, load.lost() - 2 * trial.repeats * _CLIENTS) + load.twice(trial.recorded())
    met = left == 0 and lost == 0 and served
    seen = (
        f"{counted(load.outcomes())}; {left} processes left behind; "
        f"started on the same port within {slowest:.1f} s, which then {'answers' if served else 'does not answer'}"
    )
    return Finding(met, seen, lost, len(load.exchanges))


def _kill_family(server: LiveServer) -> int:
    """Kill a supervisor; return how many of its processes are there ten seconds later."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    server.process.kill()
    server.process.wait()
    left = psutil.wait_procs(children, timeout=_CHILDREN_END_WITHIN_S)[1]
    for process in left:
        process.kill()
    return len(left)


def _kill_in_a_row(server: AttackedServer, load: NumberedLoad, role: str, repeats: int) -> float | None:
    """Kill processes of a role one after the other, each when requests are answered again.

    Return the longest time until one was that was sent after a kill, None if there was none.
    """
    slowest = 0.0
    load.answered_s(_BACK_WITHIN_S)
    for _ in range(repeats):
        victims = server.role(role)
        if not victims:
            return None
        victims[0].send_signal(signal.SIGKILL)
        psutil.wait_procs(victims[:1], timeout=5)
        seconds = load.answered_s(_BACK_WITHIN_S)
        if seconds is None:
            return None
        slowest = max(slowest, seconds)
        time.sleep(0.3)
    return slowest


def _judged(load: NumberedLoad, slowest: float | None, lost: int, most_failed: int) -> Finding:
    """Judge a load: at most `most_failed` of its requests may be told that their process ended (500)."""
    outcomes = load.outcomes()
    back = f"answers again within {slowest:.1f} s" if slowest is not None else f"no answer in {_BACK_WITHIN_S:.0f} s"
    allowed = {200, 429, 503, REFUSED, "reset", "timeout", "wrong", 500}
    met = slowest is not None and lost == 0 and outcomes[500] <= most_failed and not outcomes.keys() - allowed
    return Finding(
        met, f"{counted(outcomes)}; {back}; slowest reply {load.slowest_s():.1f} s", lost, sum(outcomes.values())
    )


FAMILY = FailureFamily(
    "Processes that are killed under load",
    (
        Scenario(
            "kill -9 of the engine",
            "requests in flight are told so at once (503), each reply is that of its image, and the engine is replaced",
            _engine,
            60,
            peers=True,
        ),
        Scenario(
            "kill -9 of the HTTP process",
            "only requests that it was reading or answering are cut off, none is run twice, and it is replaced",
            _http_process,
            35,  # from the fifth on it is started again after some seconds
        ),
        Scenario(
            "kill -9 of a decode worker",
            "its requests are answered, and it is replaced",
            _decode_worker,
            20,
        ),
        Scenario(
            "kill -9 of the decoder of costly images",
            "its image is answered, by a score or not, and small images are scored meanwhile",
            _decoder,
            25,
        ),
        Scenario(
            "kill -9 of a script's worker",
            "its request alone is told so (500), none is run twice, and it is replaced",
            _script_worker,
            15,
        ),
        Scenario(
            "kill -9 of a script's pool",
            "requests in flight are told so at once (503), none is run twice, and it is replaced with its workers",
            _script_pool,
            25,
        ),
        Scenario(
            "kill -9 of the supervisor",
            "its processes end, none of its requests is run twice, and a server started on the same port serves",
            _supervisor,
            30,
        ),
    ),
)
