"""Fixtures that several files share. What takes time to make is made once a session and never changed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from tests.support.folders.checkpoints import write_automl_folder

if TYPE_CHECKING:
    from tests.support.servers.live_server import LiveServer
    from tests.support.servers.protocol_site import ProtocolSite

# On a machine that others use too, threads that wait for each other take many times as long as one alone
torch.set_num_threads(1)
# and those of the processes that tests start sleep: awake they would keep the others from the cores
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


# The files that share a server go to the same worker, since each worker starts a server of its own
_SHARING = {
    "tests/server/protocols/test_request_contents.py": "fridge_server",
    "tests/server/protocols/test_wide_requests.py": "fridge_server",
    "tests/server/protocols/": "site",
    "tests/server/proxies/": "keyed_server",
    "tests/server/page/": "page_site",
    "tests/server/api/test_api_page.py": "site",
    "tests/server/api/test_routing.py": "site",
    "tests/server/supervisor/test_start_log.py": "site",
    "tests/server/supervisor/test_lifecycle.py": "fridge_server",
    "tests/benchmarks/test_measured.py": "fridge_server",
}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores, up to four, as tests often wait for servers to start."""
    return min(4, (os.cpu_count() or 1) + 1)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    return _ByFileOrServer(config, log)


class _ByFileOrServer(LoadFileScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((server for start, server in _SHARING.items() if file.startswith(start)), file)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@pytest.fixture(scope="session")
def fridge_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded resnet18 for the four labels of the fridge, with small images to be fast. Read only."""
    return write_automl_folder(tmp_path_factory.mktemp("fridge"), sizes=(80, 64))


@pytest.fixture(scope="session")
def fridge_server(fridge_folder: Path) -> Iterator["LiveServer"]:
    """A server of `fridge_folder` with default settings. Tests compare its metrics before and after, and leave it."""
    from tests.support.servers.live_server import LiveServer

    with LiveServer("--model", fridge_folder) as running:
        yield running


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator["ProtocolSite"]:
    """A server with three models, which the tests of all protocols share."""
    from tests.support.servers.protocol_site import ProtocolSite  # imports detectors, which most files have no use for

    with ProtocolSite(tmp_path_factory.mktemp("site")) as running:
        yield running
