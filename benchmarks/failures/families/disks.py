"""Disks: folders that are full or read-only, and too few file descriptors."""

import subprocess
import time
from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.failures.attacked_server import model_folder
from benchmarks.failures.deployments import put_traffic, saved_traffic
from benchmarks.failures.numbered_load import NumberedLoad, images, numbers, probe, send
from benchmarks.failures.scenario import (
    FailureFamily,
    Finding,
    Scenario,
    SkipScenarioError,
    Trial,
    counted,
    needs_root,
)

_LOAD_S = 3.0


def _full_temporary_folder(trial: Trial) -> Finding:
    folder = trial.scratch / "small"
    with small_disk(folder), trial.serve_script(env={"TMPDIR": str(folder)}) as server:
        before = send(server.port, numbers()(-1))
        fill(folder)
        finding = _serves(NumberedLoad(server.port, numbers(), 4, patience_s=5))
        pages = {path: send(server.port, probe(path)(0), 5) for path in ("/docs", "/v2", "/health/ready", "/metrics")}
        ended = server.log().count("http process ended")
        met = finding.met and before == 200 and not ended and all(status == 200 for status in pages.values())
        seen = f"{finding.seen}; {', '.join(f'{path} {status}' for path, status in pages.items())}; {ended} ends"
        return Finding(met, seen, finding.lost, finding.requests)


def _full_deployments_folder(trial: Trial) -> Finding:
    """Change the traffic while the file that keeps it cannot be written."""
    folder = trial.scratch / "small"
    file = folder / "deployments.json"
    with small_disk(folder), trial.serve_deployments(file) as server:
        fill(folder)
        status, text = put_traffic(server, {"green": 100})
        kept, after = saved_traffic(file), send(server.port, numbers()(0))
        told = status >= 400 or "saved" in text
        seen = f"PUT /traffic {status}: {text[:120]}; the file holds {kept}; a score then {after}"
        return Finding(told and kept == {"blue": 100} and after == 200, seen)


def _read_only_folders(trial: Trial) -> Finding:
    """Serve a model from a read-only folder, with a cache and a temporary folder on read-only disks."""
    with ExitStack() as stack:
        folders = {name: trial.scratch / name for name in ("read-only cache", "read-only model")}
        model_folder(trial.scratch)
        for name, folder in folders.items():
            stack.enter_context(small_disk(folder, mebibytes=100))
            if "model" in name:
                _shell("cp", "-r", str(trial.scratch / "model"), str(folder / "model"))
            _shell("mount", "-o", "remount,ro", str(folder))
        model, cache = folders["read-only model"] / "model", folders["read-only cache"]
        flags = ("--model", model, "--cache-folder", cache, "--runtime", "auto")
        with trial.serve_model(*flags) as server:
            return _serves(NumberedLoad(server.port, images(server), 2))


def _read_only_temporary_folder(trial: Trial) -> Finding:
    folder = trial.scratch / "read-only"
    with small_disk(folder):
        _shell("mount", "-o", "remount,ro", str(folder))
        # whether it serves from another folder or refuses, it must not hang, or say nothing
        server = trial.serve_script(env={"TMPDIR": str(folder)}, ready_within_s=0)
        with server:
            end = time.monotonic() + 20
            while server.process.poll() is None and not server.is_ready() and time.monotonic() < end:
                time.sleep(0.1)
            code, ready = server.process.poll(), server.is_ready()
            log = server.log()
    traceback = "Traceback" in log
    last = log.strip().splitlines()[-1][:160] if log.strip() else "nothing"
    met = ready or (code in (2, 3) and not traceback)
    return Finding(met, "serves" if ready else f"exit code {code}{', a traceback' * traceback}; the log says: {last}")


def _few_descriptors(trial: Trial) -> Finding:
    with trial.serve_script(prefix=("prlimit", "--nofile=160:160")) as server:
        load = NumberedLoad(server.port, numbers(0.05), 100, patience_s=20)
        finding = _serves(load, {200, 429, 503})  # beyond its connections a server says that they are too many
        time.sleep(1)
        after = send(server.port, numbers()(-1))
        met = finding.met and after == 200
        return Finding(met, f"{finding.seen}; after they left {after}", finding.lost, finding.requests)


def _serves(load: NumberedLoad, right: Set[int | str] = frozenset({200, 429})) -> Finding:
    """Judge whether a server answers everybody for some seconds, by a status that is `right`."""
    with load:
        time.sleep(_LOAD_S)
    outcomes = load.outcomes()
    met = outcomes[200] > 0 and load.lost() == 0 and outcomes.keys() <= right
    return Finding(met, counted(outcomes), load.lost(), sum(outcomes.values()))


@contextmanager
def small_disk(folder: Path, mebibytes: float = 0.5) -> Iterator[None]:
    """Mount a file system in memory of a size."""
    needs_root("mount a file system of a given size")
    folder.mkdir(exist_ok=True)
    try:
        _shell("mount", "-t", "tmpfs", "-o", f"size={int(mebibytes * 1024)}k", "tmpfs", str(folder))
    except subprocess.CalledProcessError as error:
        raise SkipScenarioError(f"mounting is not allowed here: {error.stderr.decode().strip()}") from None
    try:
        yield
    finally:
        _shell("umount", "--lazy", str(folder))


def fill(folder: Path) -> None:
    """Write a file until the file system is full."""
    with (folder / "fill").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def _shell(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


FAMILY = FailureFamily(
    "Disks and file descriptors",
    (
        Scenario(
            "a full temporary folder",
            "scoring, probes and metrics go on, and no process ends",
            _full_temporary_folder,
        ),
        Scenario(
            "a full disk below the deployments file",
            "a change of traffic is refused or its reply says that it was not saved; the file stays whole",
            _full_deployments_folder,
        ),
        Scenario(
            "read-only model and cache folders",
            "the model is served",
            _read_only_folders,
            20,
        ),
        Scenario(
            "a read-only temporary folder",
            "it serves, or ends with exit code 2 or 3 and a message",
            _read_only_temporary_folder,
        ),
        Scenario(
            "100 clients with 160 file descriptors",
            "everybody is answered, some by 429 or 503, and all once they are fewer",
            _few_descriptors,
        ),
    ),
)
