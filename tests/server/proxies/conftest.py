"""A server that needs keys, before which the tests put proxies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.proxies.refusals import key_flags
from tests.support.servers.live_server import LiveServer


@pytest.fixture(scope="session")
def keyed_server(fridge_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of `fridge_folder` with the keys of `benchmarks.proxies.refusals`."""
    with LiveServer("--model", fridge_folder, *key_flags(tmp_path_factory.mktemp("keys"))) as running:
        yield running
