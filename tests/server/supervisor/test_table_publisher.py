"""Which routing tables HTTP processes use, and when the deployments that one replaced may end."""

import asyncio

from server.ipc.process_config import ProcessConfig
from server.ipc.routing_table import RoutingTable
from server.supervisor.child import Child
from server.supervisor.table_publisher import TablePublisher
from settings.server import ServerSettings


class _RunningChild(Child):
    alive = True


def publisher_of(count: int) -> tuple[TablePublisher, list[Child]]:
    publisher = TablePublisher(named=True)
    children: list[Child] = [
        _RunningChild("http", (), lambda: ProcessConfig(settings=ServerSettings())) for _ in range(count)
    ]
    publisher.http_processes = children
    return publisher, children


def done(publisher: TablePublisher, number: int) -> tuple[bool, bool]:
    """Whether a table is followed, and whether all that it replaced has been answered."""

    async def both() -> tuple[bool, bool]:
        waits = [publisher.wait_followed(number), publisher.wait_answered(number, 1000)]
        tasks = [asyncio.create_task(wait) for wait in waits]
        await asyncio.sleep(0.1)
        followed, answered = (task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        return followed, answered

    return asyncio.run(both())


def test_each_table_waits_for_the_requests_that_it_left_behind_alone() -> None:
    publisher, (one, other) = publisher_of(2)
    assert [publisher.publish(RoutingTable()) for _ in range(2)] == [1, 2]
    publisher.read_line(one, "uses 2 1")
    publisher.read_line(other, "uses 1")
    assert [done(publisher, number) for number in (1, 2)] == [(True, False), (False, False)]
    publisher.read_line(other, "uses 2")
    assert [done(publisher, number) for number in (1, 2)] == [(True, False), (True, True)]
    publisher.read_line(one, "uses 2")
    assert done(publisher, 1) == (True, True)


def test_a_process_that_was_started_again_has_left_nothing_behind() -> None:
    publisher, (one,) = publisher_of(1)
    publisher.publish(RoutingTable())
    publisher.read_line(one, "uses 1 1")
    assert done(publisher, 1) == (True, False)
    publisher.read_line(one, "uses 1")
    assert done(publisher, 1) == (True, True)


def test_other_lines_say_nothing() -> None:
    publisher, (one,) = publisher_of(1)
    publisher.publish(RoutingTable())
    publisher.read_line(one, "printed by a library")
    publisher.read_line(one, "")
    assert done(publisher, 1) == (False, False)


def test_waiting_ends_after_its_time_whatever_a_process_says() -> None:
    publisher, _ = publisher_of(1)
    asyncio.run(asyncio.wait_for(publisher.wait_answered(1, 0.1), 10))
