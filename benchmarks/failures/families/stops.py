"""Stops: processes that stand still, and servers that are asked to end while they work."""

import signal
import threading
import time

from benchmarks.failures.attacked_server import AttackedServer, end
from benchmarks.failures.numbered_load import REFUSED, NumberedLoad, images, numbers
from benchmarks.failures.scenario import FailureFamily, Finding, Scenario, Trial, counted

_CLIENTS = 4
_NOTICED_WITHIN_S = 60.0


def _stopped_engine(trial: Trial) -> Finding:
    with trial.serve_model("--request-timeout-ms", "3000") as server:
        with NumberedLoad(server.port, images(server), _CLIENTS, pause_s=0.2, patience_s=15) as load:
            time.sleep(0.5)
            (engine,) = server.role("engine")
            engine.suspend()
            back = load.answered_s(min(_NOTICED_WITHIN_S, trial.seconds))
            if engine.is_running():
                engine.resume()
        lost = load.lost()
        replaced = "not noticed" if back is None else f"scores again after {back:.0f} s"
        seen = f"{replaced}; {counted(load.outcomes())}; slowest reply {load.slowest_s():.1f} s"
        return Finding(back is not None and lost == 0, seen, lost, len(load.exchanges))


def _sigterm(trial: Trial) -> Finding:
    with trial.serve_model("--drain-delay-ms", "500") as server:
        return _ended(server, NumberedLoad(server.port, images(server), _CLIENTS), 1)


def _second_sigterm(trial: Trial) -> Finding:
    with trial.serve_script("--workers", "4") as server:
        finding = _ended(server, NumberedLoad(server.port, numbers(1.0), _CLIENTS), 2)
        twice = NumberedLoad(server.port, numbers()).twice(trial.recorded())
        return Finding(finding.met and not twice, finding.seen, finding.lost + twice, finding.requests)


def _ended(server: AttackedServer, load: NumberedLoad, signals: int) -> Finding:
    """Ask a server to end, `signals` times at intervals of 0.3 s, while clients wait for replies."""
    with load:
        time.sleep(1.5)
        family = server.family()
        again = [
            threading.Timer(0.3 * number, server.process.send_signal, [signal.SIGTERM]) for number in range(1, signals)
        ]
        for timer in again:
            timer.start()
        started = time.monotonic()
        code = end(server)
        seconds = time.monotonic() - started
    outcomes = load.outcomes()
    left = sum(process.is_running() and process.status() != "zombie" for process in family)
    met = code == 0 and load.lost() == 0 and not left and outcomes.keys() <= {200, 503, 429, REFUSED}
    answered = {outcome: number for outcome, number in outcomes.items() if outcome != REFUSED}
    seen = f"exit code {code} after {seconds:.1f} s; {counted(answered)}; {left} processes left behind"
    return Finding(met, seen, load.lost(), sum(answered.values()))


FAMILY = FailureFamily(
    "Processes that stand still, and the end of the server",
    (
        Scenario(
            "SIGSTOP of the engine",
            "requests are answered by their deadline, and the engine is replaced after two deadlines or ten seconds",
            _stopped_engine,
            35,
            peers=True,
        ),
        Scenario(
            "SIGTERM under load",
            "what was let in is answered, later connections are refused, exit code 0",
            _sigterm,
            12,
            peers=True,
        ),
        Scenario(
            "a second SIGTERM under load",
            "the same: what was let in is still answered, exit code 0",
            _second_sigterm,
            8,
        ),
    ),
)
