"""TablePublisher: sends routing tables to the HTTP processes, and knows which of them each process still uses."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.ipc.parent_pipe import SERVES, USES
from server.ipc.routing_table import RoutingTable
from server.supervisor.child import Child

logger = logging.getLogger(__name__)

_POLL_S = 0.02
_FOLLOWED_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class _Use:
    """The tables of an HTTP process: the `newest` for new requests, and those that replaced what still answers some."""

    newest: int = -1
    answering: frozenset[int] = frozenset()


class TablePublisher:
    """Keeps the newest `table`, and sends it to `http_processes`, which start with it too."""

    def __init__(self, *, named: bool) -> None:
        self.table = RoutingTable(named=named)
        self.http_processes: Sequence[Child] = ()
        self._uses: dict[Child, _Use] = {}
        self._serving: set[Child] = set()

    def publish(self, table: RoutingTable) -> int:
        """Send a table as the next one, and return its number."""
        self.table = table.model_copy(update={"number": self.table.number + 1, "named": self.table.named})
        for http_process in self.http_processes:
            http_process.send(f"table {self.table.model_dump_json()}")
        return self.table.number

    def read_line(self, http_process: Child, line: str) -> None:
        """Read a line of an HTTP process: `serves` or `uses`; see `server.ipc.parent_pipe`."""
        words = line.split()
        if words == [SERVES]:
            self._serving.add(http_process)
        if words[:1] == [USES]:
            newest, *answering = map(int, words[1:])
            self._uses[http_process] = _Use(newest, frozenset(answering))

    def is_http_process(self, pid: int) -> bool:
        """Whether a process id is that of an HTTP process."""
        return any(each.process is not None and each.process.pid == pid for each in self.http_processes)

    async def wait_serving(self) -> None:
        """Wait until all HTTP processes have been ready to score."""
        while not self._serving.issuperset(self.http_processes):
            await asyncio.sleep(_POLL_S)

    async def wait_followed(self, number: int) -> None:
        """Wait until all HTTP processes use a table for new requests, or a newer one; at most 15 s."""
        if not await self._wait(lambda use: use.newest >= number, _FOLLOWED_WITHIN_S):
            logger.error("an HTTP process does not follow a change of deployments seconds=%g", _FOLLOWED_WITHIN_S)

    async def wait_answered(self, number: int, timeout_s: float) -> None:
        """Wait until the deployments that a table replaced have answered all their requests; at most `timeout_s`."""

        def answered(use: _Use) -> bool:
            return use.newest >= number and number not in use.answering

        if not await self._wait(answered, timeout_s):
            logger.error("a replaced deployment still has requests, ending it seconds=%g", timeout_s)

    async def _wait(self, condition: Callable[[_Use], bool], timeout_s: float) -> bool:
        end = asyncio.get_running_loop().time() + timeout_s
        # a process that is being started again begins with the newest table
        while not all(condition(self._uses.get(each, _Use())) for each in self.http_processes if each.alive):
            if asyncio.get_running_loop().time() > end:
                return False
            await asyncio.sleep(_POLL_S)
        return True
