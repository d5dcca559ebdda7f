"""Bombs of every image format, sent beside scoring of small images."""

import threading
import time
from collections.abc import Mapping

import psutil

from benchmarks.failures.attacked_server import AttackedServer
from benchmarks.failures.bomb_images import bombs
from benchmarks.failures.numbered_load import NumberedLoad, image_request, images, probe, send
from benchmarks.failures.scenario import FailureFamily, Finding, Scenario, Trial, counted

_MOST_BYTES = 1200 * 2**20  # by which decoding may make a server larger; an RGB image of 99 megapixels has 300 MB
_STAYS_BYTES = 200 * 2**20  # by which it may be larger afterwards
_SLOWEST_S = 5.0
_PATIENCE_S = 40.0
_SETTLES_S = 4.0


def _beside(trial: Trial) -> Finding:
    """One bomb after the other, beside two clients that score small images, and a prober."""
    bodies = {name: make() for name, make in bombs().items()}
    with trial.serve_model("--request-timeout-ms", "10000") as server:
        before = _memory(server)
        peak = _Peak(server)
        outcomes = {}
        with peak, NumberedLoad(server.port, images(server), 2, pause_s=0.05, patience_s=_PATIENCE_S) as load:
            for name, body in bodies.items():
                outcomes[name] = send(server.port, image_request(body), min(_PATIENCE_S, trial.seconds))
        time.sleep(_SETTLES_S)
        return _judged(trial, load, outcomes, peak.bytes - before, _memory(server) - before)


def _six_at_once(trial: Trial) -> Finding:
    """Six copies of the worst one for memory at once."""
    name, make = next(iter(bombs().items()))
    body = make()
    with trial.serve_model("--request-timeout-ms", "20000") as server:
        before = _memory(server)
        outcomes: dict[str, int | str] = {}
        peak = _Peak(server)

        def bomb(number: int) -> None:
            outcomes[f"{name} ({number})"] = send(server.port, image_request(body), _PATIENCE_S)

        threads = [threading.Thread(target=bomb, args=(number,)) for number in range(6)]
        with peak, NumberedLoad(server.port, images(server), 2, pause_s=0.05, patience_s=_PATIENCE_S) as load:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        time.sleep(_SETTLES_S)
        return _judged(trial, load, outcomes, peak.bytes - before, _memory(server) - before)


def _readiness(trial: Trial) -> Finding:
    """Forty at once, more than there are threads that decode, and probes."""
    body = bombs()["JPEG with 400 scans"]()
    with trial.serve_model("--request-timeout-ms", "5000") as server:
        outcomes: list[int | str] = []
        threads = [
            threading.Thread(target=lambda: outcomes.append(send(server.port, image_request(body), _PATIENCE_S)))
            for _ in range(40)
        ]
        with NumberedLoad(server.port, probe(), 1, pause_s=0.05) as probes:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        started = time.monotonic()
        small = images(server)
        scored = send(server.port, small(0), _PATIENCE_S)
        seconds = time.monotonic() - started
        codes = {code: outcomes.count(code) for code in outcomes}
        met = set(codes) <= {200, 422, 429, 504} and probes.slowest_s() < 1 and scored == 200 and seconds < _SLOWEST_S
        seen = (
            f"{counted(codes)}; slowest probe {probes.slowest_s():.2f} s; "
            f"a small image afterwards {scored} after {seconds:.1f} s"
        )
        return Finding(met, seen, sum(isinstance(code, str) for code in outcomes), len(outcomes))


def _judged(trial: Trial, load: NumberedLoad, bombed: Mapping[str, int | str], peak: int, stays: int) -> Finding:
    small = load.outcomes()
    slow = load.slowest_s()
    bad = [f"{name}: {outcome}" for name, outcome in bombed.items() if outcome not in _right(trial)]
    met = not bad and load.lost() == 0 and set(small) <= {200, 429} and slow < _SLOWEST_S
    met = met and peak < _MOST_BYTES and stays < _STAYS_BYTES
    seen = (
        f"bombs {counted({code: list(bombed.values()).count(code) for code in bombed.values()})}"
        f"{' (' + '; '.join(bad) + ')' if bad else ''}; small images {counted(small)}, slowest {slow:.1f} s; "
        f"{peak >> 20} MB more at most, {stays >> 20} MB afterwards"
    )
    return Finding(met, seen, load.lost(), sum(small.values()))


def _right(trial: Trial) -> set[int | str]:
    right: set[int | str] = {200, 400, 413, 415, 422, 429, 504}
    # others may answer bad images by any status of their own, even 500, as long as they do
    return right if trial.ours else right | {500, 503}


def _memory(server: AttackedServer) -> int:
    total = 0
    for process in server.family():
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it has ended
            continue
    return total


class _Peak:
    """Watches the memory of all processes of a server; a context manager. `bytes` is the highest sum so far."""

    def __init__(self, server: AttackedServer) -> None:
        self.bytes = 0
        self._server, self._ends = server, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.wait(0.05):
            self.bytes = max(self.bytes, _memory(self._server))


FAMILY = FailureFamily(
    "Image bombs beside scoring",
    (
        Scenario(
            "a bomb of each format and kind",
            "answered without 5xx but 504; small images within 5 s; at most 1200 MB more, 200 MB afterwards",
            _beside,
            60,
            peers=True,
        ),
        Scenario(
            "six grey PNGs of 99 megapixels at once",
            "the same",
            _six_at_once,
            30,
        ),
        Scenario(
            "40 JPEGs of many scans at once",
            "probes within a second, and a small image within 5 s afterwards",
            _readiness,
            30,
        ),
    ),
)
