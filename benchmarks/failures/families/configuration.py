"""Configuration: the keys and the deployments file spoilt while the server works."""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.failures.attacked_server import OwnServer
from benchmarks.failures.deployments import put_traffic, saved_traffic
from benchmarks.failures.numbered_load import JSON, NumberedLoad, NumberedRequest, numbers, send
from benchmarks.failures.scenario import FailureFamily, Finding, Scenario, Trial, counted

_READ_S = 2.5  # within which a changed file is read again


def _remove(file: Path) -> None:
    file.unlink()


def _make_unreadable(file: Path) -> None:
    file.unlink()
    file.mkdir()  # root may read any file, but no folder as a file


_FAULTS: Mapping[str, Callable[[Path], object]] = {
    "emptied": lambda file: file.write_bytes(b""),
    "cut off": lambda file: file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2]),
    "garbage": lambda file: file.write_bytes(b"\xff\xfe\0\0" * 100),
    "removed": _remove,
    "unreadable": _make_unreadable,
}


def _keys_file(trial: Trial) -> Finding:
    """Requests with the key that holds, with another and with none, while the file is spoilt, then mended."""
    keys = trial.scratch / "keys"
    keys.write_text("first-key\nsecond-key\n")
    with trial.serve_script("--keys-file", keys) as server:
        wrong, told = [], []
        for fault, spoil in _FAULTS.items():
            spoil(keys)
            time.sleep(_READ_S)
            answers = [_with_key(server, key) for key in ("first-key", "", "fir", "\ufffd")]
            let_in = 200 in answers[1:] and fault != "cut off"  # a key cut off is a key
            if let_in or answers[0] not in (200, 401, 503):
                wrong.append(f"{fault}: {answers}")
            told.append(f"{fault} {answers[0]}")
            _restore(keys, "first-key\nsecond-key\n")
            time.sleep(_READ_S)
            if (after := _with_key(server, "first-key")) != 200:
                wrong.append(f"{fault}, then mended: {after}")
        lines = [line for line in server.log().splitlines() if str(keys) in line]
        met = not wrong and 0 < len(lines) <= 2 * len(_FAULTS)
        faults = "; ".join(wrong) or "nobody got in without a key"
        return Finding(met, f"the key that held: {', '.join(told)}; {faults}; {len(lines)} log lines")


def _with_key(server: OwnServer, key: str) -> int | str:
    headers = dict(JSON) | ({"authorization": f"Bearer {key}".encode().decode("latin-1")} if key else {})
    return send(server.port, NumberedRequest(b'{"number": 1}', headers=headers))


def _restore(file: Path, text: str) -> None:
    if file.is_dir():
        shutil.rmtree(file)
    file.write_text(text)


def _deployments_file(trial: Trial) -> Finding:
    """Changes of traffic while the file that keeps them is spoilt."""
    file = trial.scratch / "deployments.json"
    with trial.serve_deployments(file) as server:
        whole = file.read_text()
        wrong, told = [], []
        with NumberedLoad(server.port, numbers(), 2, pause_s=0.02) as load:
            for number, (fault, spoil) in enumerate(_FAULTS.items()):
                spoil(file)
                time.sleep(0.5)
                name = ("green", "blue")[number % 2]
                status, text = put_traffic(server, {name: 100})
                told.append(f"{fault} {status}")
                saved = saved_traffic(file) == {name: 100}
                if status >= 500 or (status == 200 and not saved and "saved" not in text):
                    wrong.append(f"{fault}: {status}, in the file {saved_traffic(file)}")
                _restore(file, whole)
        outcomes = load.outcomes()
        met = not wrong and set(outcomes) <= {200, 429} and not load.lost()
        seen = f"PUT /traffic: {', '.join(told)}; {'; '.join(wrong) or 'saved, or told'}; others {counted(outcomes)}"
        return Finding(met, seen, load.lost(), len(load.exchanges))


FAMILY = FailureFamily(
    "Files spoilt while the server works",
    (
        Scenario(
            "the keys file emptied, cut off, garbage, removed, unreadable",
            "nobody gets in without a key, no 5xx but 503, a log line or two for each, and a mended file holds at once",
            _keys_file,
            30,
        ),
        Scenario(
            "the deployments file emptied, cut off, garbage, removed, unreadable",
            "scoring goes on; a change is saved in a whole file, or its reply says that it was not",
            _deployments_file,
            12,
        ),
    ),
)
