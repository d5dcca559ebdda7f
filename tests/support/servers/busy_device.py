"""Keeps the device of a real server busy, so that what is sent next has to wait."""

from concurrent.futures import Executor, Future

import httpx

from tests.support.engines.faulty_model import SLOW, coloured
from tests.support.servers.live_server import LiveServer


def start_slow_batch(server: LiveServer, pool: Executor) -> Future[httpx.Response]:
    """Send an image that keeps the device of a server of FaultyModel busy for two seconds; returns once it runs."""
    before = server.log().count(SLOW)
    reply = pool.submit(server.score, [coloured("slow")])
    server.wait_for(lambda: server.log().count(SLOW) > before)
    return reply
