"""Engines on the same cores: never two at once, nobody overtaken twice, and a dead one holds nobody up."""

import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

from server.engine.device_lock import DeviceLock
from tests.support.repository import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from server.engine.device_lock import DeviceLock
with DeviceLock(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(60)
"""


def test_turns_exclude_each_other_and_come_round(tmp_path: Path) -> None:
    order: list[int] = []
    inside = 0
    together = threading.Barrier(2)

    def engine(number: int) -> None:
        nonlocal inside
        lock = DeviceLock(tmp_path)
        together.wait()
        for _ in range(20):
            with lock, lock:  # a nested entry waits for nobody
                inside += 1
                assert inside == 1
                order.append(number)
                time.sleep(0.002)
                inside -= 1

    threads = [threading.Thread(target=engine, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(order) == 40
    assert sum(one == other for one, other in pairwise(order)) <= 6, f"they take turns: {order}"


def test_a_process_that_dies_gives_its_turn_back(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == "holds\n"
        entered = threading.Event()

        def wait() -> None:
            with DeviceLock(tmp_path):
                entered.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert not entered.wait(0.3)
        holder.kill()
        assert entered.wait(5)
        thread.join()
