"""Which connections are closed, and which may only probe, where there are too many."""

import resource

import pytest

from server.api.connections.open_connections import OpenConnections

MOST = 8


class Client:
    """A connection that notes what is done to it."""

    def __init__(self) -> None:
        self.was_served = False
        self.over_limit = False
        self.aborted = False

    def expire(self) -> bool:
        return True

    def abort(self) -> None:
        self.aborted = True


class Clock:
    """The time, which stands still until a test says otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("server.api.connections.open_connections.time", clock)
    return clock


def connected(connections: OpenConnections, count: int) -> list[Client]:
    clients = [Client() for _ in range(count)]
    for client in clients:
        connections.opened(client)
        if client.aborted:
            connections.closed(client)
    return clients


def test_clients_that_came_just_now_are_answered_and_not_cut_off(clock: Clock) -> None:
    connections = OpenConnections(MOST, idle_s=60)
    first, burst = connected(connections, MOST), connected(connections, 30)
    assert not any(client.aborted for client in first + burst)
    assert all(client.over_limit for client in burst), "they are told that there are too many"
    assert not any(client.over_limit for client in first)


def test_a_client_that_waited_makes_room(clock: Clock) -> None:
    connections = OpenConnections(MOST, idle_s=60)
    first = connected(connections, MOST)
    clock.now += 1
    (newcomer,) = connected(connections, 1)
    assert [client.aborted for client in first] == [True] + [False] * (MOST - 1)
    assert not newcomer.over_limit


def test_an_endless_burst_keeps_files_free(clock: Clock) -> None:
    connections = OpenConnections(MOST, idle_s=60)
    clients = connected(connections, 1000)
    assert sum(not client.aborted for client in clients) <= MOST + 32
    assert not clients[-1].aborted, "the newest may still ask"


def test_clients_at_work_are_never_closed(clock: Clock) -> None:
    connections = OpenConnections(MOST, idle_s=60)
    working = connected(connections, MOST)
    for client in working:
        connections.works(client)
    clock.now += 1
    connected(connections, 1000)
    assert not any(client.aborted for client in working)


@pytest.mark.parametrize("files", [48, 64, 100, 256, 1024, 2**20])
def test_connections_leave_files_to_the_process(monkeypatch: pytest.MonkeyPatch, clock: Clock, files: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    connections = OpenConnections(10**6, idle_s=60)
    clients = connected(connections, min(2 * files, 3000))
    still_open = sum(not client.aborted for client in clients)
    assert connections.most >= files // 8
    if files <= 1024:
        assert still_open <= files - 32
