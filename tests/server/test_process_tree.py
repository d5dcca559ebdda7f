"""What the kernel tells of processes, compared with psutil."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from server.process_tree import _children_by_parent, children, descendants, process_usage

PARENT = "import subprocess, sys; print(subprocess.Popen(['sleep', '60'], stdout=-3).pid, flush=True); sys.stdin.read()"


@pytest.fixture
def family() -> Iterator[tuple[int, int]]:
    """A child of this process and its own child."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=-1, stdout=-1) as process:
        assert process.stdin is not None and process.stdout is not None
        grandchild = int(process.stdout.readline())
        yield process.pid, grandchild
        os.kill(grandchild, 9)
        process.stdin.close()


def test_children_and_theirs_are_found_by_both_ways(family: tuple[int, int]) -> None:
    child, grandchild = family
    own = os.getpid()
    assert child in children(own) and grandchild not in children(own)
    assert {child, grandchild} <= set(descendants(own))
    assert sorted(_children_by_parent(own)) == sorted(children(own))
    assert _children_by_parent(child) == children(child) == [grandchild]
    assert children(grandchild) == []


def test_usage_is_that_of_the_kernel(family: tuple[int, int]) -> None:
    child, _ = family
    usage, expected = process_usage(child), psutil.Process(child)
    assert usage is not None
    assert (usage.pid, usage.parent, usage.zombie) == (child, os.getpid(), False)
    assert usage.resident_bytes == pytest.approx(expected.memory_info().rss, rel=0.3)
    assert usage.cpu_s == pytest.approx(sum(expected.cpu_times()[:2]), abs=0.1)
    assert usage.started_s + psutil.boot_time() == pytest.approx(expected.create_time(), abs=2)


def test_a_name_with_brackets_and_blanks_is_no_field(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "60"])
    usage = process_usage(process.pid)
    assert usage is not None and usage.parent == os.getpid()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    usage = process_usage(process.pid)
    assert usage is not None and usage.zombie
    assert process.pid in children(os.getpid())
    process.wait()
    assert process_usage(process.pid) is None and children(process.pid) == []
