"""TableUpdates: takes over the routing tables that the supervisor sends, one after the other."""

import asyncio
import logging
from collections.abc import Sequence

from server.inference.deployments import Deployment, Deployments
from server.ipc.parent_pipe import USES, report_to_parent
from server.ipc.routing_table import RoutingTable

logger = logging.getLogger(__name__)

_POLL_S = 0.01


class TableUpdates:
    """Follows new tables at once, while deployments that they replace answer the requests that they have taken."""

    def __init__(self, deployments: Deployments, number: int) -> None:
        self._deployments = deployments
        self._number = number
        self._answering: set[int] = set()  # the tables that replaced deployments with requests left
        self._lock = asyncio.Lock()

    def report(self) -> None:
        """Tell the supervisor which tables are in use."""
        report_to_parent(USES, self._number, *sorted(self._answering))

    async def follow(self, table: RoutingTable) -> None:
        """Take over a table, then close the deployments that it replaces once all their requests have a response."""
        try:
            async with self._lock:
                replaced = await self._deployments.update(table)
                self._number = table.number
                self._answering.add(table.number)
            self.report()
            await _close_after_last_response(replaced)
            self._answering.discard(table.number)
            self.report()
        except Exception:  # of any kind: nobody awaits this
            logger.exception("a routing table cannot be followed number=%d", table.number)


async def _close_after_last_response(deployments: Sequence[Deployment]) -> None:
    while any(deployment.busy for deployment in deployments):
        await asyncio.sleep(_POLL_S)
    for deployment in deployments:
        deployment.engines.close()
