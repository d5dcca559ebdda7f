"""An HTTP process's end of the wire, against engines that misbehave."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.errors import ServiceError
from server.ipc.frame import Frame, FrameKind, FrameReader
from server.ipc.listener import SocketClient, SocketListener
from server.ipc.outcome import Failure
from server.ipc.pool import EnginePool


class Frames:
    """The frames that a client sends, one by one; None at the end."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._frames = FrameReader()
        self._arrived: deque[Frame] = deque()

    async def next(self) -> Frame | None:
        while not self._arrived and (data := await self._reader.read(2**16)):
            self._arrived.extend(self._frames.feed(data))
        return self._arrived.popleft() if self._arrived else None


Handler = Callable[[Frames, asyncio.StreamWriter], Awaitable[None]]
READY = Frame(FrameKind.STATE, fields={"ready": True, "reason": "ready"})


@asynccontextmanager
async def engines(handler: Handler, *paths: Path) -> AsyncIterator[EnginePool]:
    """A pool in front of fake engines at `paths`; at the end every connection is really closed."""
    open_connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_connections
        open_connections += 1
        try:
            await handler(Frames(reader), writer)
            if not writer.is_closing():
                await reader.read()
        finally:
            writer.close()
            await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])
            open_connections -= 1

    servers = [await asyncio.start_unix_server(handle, path) for path in paths]
    pool = EnginePool(paths)
    pool.connect()
    try:
        yield pool
    finally:
        pool.close()
        for server in servers:
            server.close()
        await asyncio.sleep(0.05)
        while open_connections:
            await asyncio.sleep(0.005)


def with_engine(path: Path, handler: Handler, test: Callable[[EnginePool], Awaitable[None]]) -> None:
    async def run() -> None:
        async with engines(handler, path) as pool:
            await asyncio.wait_for(test(pool), 10)

    asyncio.run(run())


async def until_ready(pool: EnginePool) -> None:
    while not pool.ready:
        await asyncio.sleep(0.005)


def in_ten_seconds() -> float:
    return time.monotonic() + 10


def test_replies_find_their_requests_in_any_order(tmp_path: Path) -> None:
    async def backwards(frames: Frames, writer: asyncio.StreamWriter) -> None:
        writer.writelines(READY.parts())
        requests = [frame for _ in range(3) if (frame := await frames.next()) is not None]
        for frame in reversed(requests):
            fields: dict[str, object] = {"failures": {}, "stages": {}}
            writer.writelines(Frame(FrameKind.RESULT, frame.number, fields, frame.blobs).parts())

    async def test(pool: EnginePool) -> None:
        await until_ready(pool)
        replies = await asyncio.gather(*(pool.score([name], in_ten_seconds()) for name in (b"a", b"b", b"c")))
        assert [list(reply.outcomes) for reply in replies] == [[b"a"], [b"b"], [b"c"]]

    with_engine(tmp_path / "socket", backwards, test)


def test_failures_take_their_position(tmp_path: Path) -> None:
    async def failing(frames: Frames, writer: asyncio.StreamWriter) -> None:
        writer.writelines(READY.parts())
        frame = await frames.next()
        assert frame is not None
        fields = {"failures": {"1": ["image_format", "no picture"]}, "stages": {"decode": 0.5}}
        writer.writelines(Frame(FrameKind.RESULT, frame.number, fields, [b"{}", b""]).parts())

    async def test(pool: EnginePool) -> None:
        await until_ready(pool)
        reply = await pool.score([b"x", b"y"], in_ten_seconds())
        assert reply.outcomes == [b"{}", Failure("image_format", "no picture")]
        assert reply.stages == {"decode": 0.5}

    with_engine(tmp_path / "socket", failing, test)


@pytest.mark.parametrize("last_words", [b"", b"nonsense that is no frame"], ids=["silent", "babbling"])
def test_an_engine_that_goes_away_fails_what_is_in_flight_at_once(tmp_path: Path, last_words: bytes) -> None:
    connections = 0

    async def leaving(frames: Frames, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.writelines(READY.parts())
        await frames.next()
        writer.write(last_words)
        writer.close()

    async def test(pool: EnginePool) -> None:
        await until_ready(pool)
        with pytest.raises(ServiceError) as caught:
            await pool.score([b"x"], in_ten_seconds())
        assert caught.value.code == "engine_unavailable"
        await until_ready(pool)
        assert connections == 2, "it connects again by itself"

    with_engine(tmp_path / "socket", leaving, test)


def test_an_engine_that_is_not_ready_is_not_asked(tmp_path: Path) -> None:
    async def loading(frames: Frames, writer: asyncio.StreamWriter) -> None:
        writer.writelines(Frame(FrameKind.STATE, fields={"ready": False, "reason": "the model is loading"}).parts())
        assert await frames.next() is None

    async def test(pool: EnginePool) -> None:
        while pool.reason != "the model is loading":
            await asyncio.sleep(0.005)
        with pytest.raises(ServiceError, match="the model is loading"):
            await pool.score([b"x"], in_ten_seconds())

    with_engine(tmp_path / "socket", loading, test)


def test_a_full_queue_becomes_an_error_with_the_time_to_wait(tmp_path: Path) -> None:
    async def full(frames: Frames, writer: asyncio.StreamWriter) -> None:
        writer.writelines(READY.parts())
        frame = await frames.next()
        assert frame is not None
        writer.writelines(Frame(FrameKind.REFUSED, frame.number, {"retry_after": 2.5}).parts())

    async def test(pool: EnginePool) -> None:
        await until_ready(pool)
        with pytest.raises(ServiceError) as caught:
            await pool.score([b"x"], in_ten_seconds())
        assert (caught.value.code, caught.value.retry_after_s) == ("queue_full", 2.5)

    with_engine(tmp_path / "socket", full, test)


def test_an_engine_that_was_full_is_soon_asked_again(tmp_path: Path) -> None:
    attempts = 0

    async def full_at_first(frames: Frames, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        writer.writelines(READY.parts())
        while (frame := await frames.next()) is not None:
            attempts += 1
            if attempts == 1:
                writer.writelines(Frame(FrameKind.REFUSED, frame.number, {"retry_after": 30.0}).parts())
            else:
                done = Frame(FrameKind.RESULT, frame.number, {"failures": {}, "stages": {}}, [b"{}"])
                writer.writelines(done.parts())

    async def test(pool: EnginePool) -> None:
        await until_ready(pool)
        for _ in range(3):
            with pytest.raises(ServiceError) as caught:
                await pool.score([b"x"], in_ten_seconds())
            assert caught.value.code == "queue_full"
            assert 29.0 < (caught.value.retry_after_s or 0.0) <= 30.0
        assert attempts == 1, "the engine is left in peace meanwhile"
        await asyncio.sleep(0.12)  # it may have room sooner than it thought
        assert (await pool.score([b"x"], in_ten_seconds())).outcomes == [b"{}"]

    with_engine(tmp_path / "socket", full_at_first, test)


def test_what_a_full_engine_would_be_sent_need_not_be_read(tmp_path: Path) -> None:
    async def full(frames: Frames, writer: asyncio.StreamWriter) -> None:
        writer.writelines(READY.parts())
        while (frame := await frames.next()) is not None:
            writer.writelines(Frame(FrameKind.REFUSED, frame.number, {"retry_after": 30.0}).parts())

    async def test(pool: EnginePool) -> None:
        await until_ready(pool)
        with pytest.raises(ServiceError, match="full"):
            await pool.score([b"x"], in_ten_seconds(), {0: {}})
        assert pool.refusal is None, "explanations have a lane of their own"
        with pytest.raises(ServiceError, match="full"):
            await pool.score([b"x"], in_ten_seconds())
        assert pool.refusal is not None and pool.refusal.code == "queue_full"
        await asyncio.sleep(0.12)
        assert pool.refusal is None, "it may have room by now"

    with_engine(tmp_path / "socket", full, test)


def test_a_full_lane_of_explanations_keeps_no_score_out(tmp_path: Path) -> None:
    async def no_room_to_explain(frames: Frames, writer: asyncio.StreamWriter) -> None:
        writer.writelines(READY.parts())
        while (frame := await frames.next()) is not None:
            if frame.fields["explain"]:
                answer = Frame(FrameKind.REFUSED, frame.number, {"retry_after": 20.0})
            else:
                answer = Frame(FrameKind.RESULT, frame.number, {"failures": {}, "stages": {}}, [b"{}"])
            writer.writelines(answer.parts())

    async def test(pool: EnginePool) -> None:
        await until_ready(pool)
        for _ in range(2):
            with pytest.raises(ServiceError) as caught:
                await pool.score([b"x"], in_ten_seconds(), {0: {}})
            assert caught.value.code == "queue_full"
            assert (await pool.score([b"x"], in_ten_seconds())).outcomes == [b"{}"]

    with_engine(tmp_path / "socket", no_room_to_explain, test)


def test_a_caller_that_gives_up_cancels_its_work(tmp_path: Path) -> None:
    seen: list[Frame] = []

    async def patient(frames: Frames, writer: asyncio.StreamWriter) -> None:
        writer.writelines(READY.parts())
        while (frame := await frames.next()) is not None:
            seen.append(frame)

    async def test(pool: EnginePool) -> None:
        await until_ready(pool)
        work = asyncio.create_task(pool.score([b"x"], in_ten_seconds()))
        while not seen:
            await asyncio.sleep(0.005)
        work.cancel()
        while len(seen) < 2:
            await asyncio.sleep(0.005)
        assert [frame.kind for frame in seen] == [FrameKind.SCORE, FrameKind.CANCEL]
        assert seen[0].number == seen[1].number

    with_engine(tmp_path / "socket", patient, test)


def test_a_fast_engine_gets_more_than_a_slow_one(tmp_path: Path) -> None:
    answered = Counter[float]()

    def engine(seconds: float) -> Handler:
        async def one_after_the_other(frames: Frames, writer: asyncio.StreamWriter) -> None:
            writer.writelines(READY.parts())
            while (frame := await frames.next()) is not None:
                await asyncio.sleep(seconds)
                answered[seconds] += 1
                done = Frame(FrameKind.RESULT, frame.number, {"failures": {}, "stages": {}}, [b"{}"])
                writer.writelines(done.parts())

        return one_after_the_other

    async def run() -> None:
        fast, slow = tmp_path / "fast", tmp_path / "slow"
        async with engines(engine(0.01), fast) as one, engines(engine(0.1), slow) as other:
            pool = EnginePool([])
            pool.clients = [*one.clients, *other.clients]
            while not all(client.ready for client in pool.clients):
                await asyncio.sleep(0.005)

            async def client() -> None:
                for _ in range(25):
                    await pool.score([b"x"], in_ten_seconds())

            await asyncio.gather(*(client() for _ in range(4)))

    asyncio.run(run())
    assert answered[0.1] >= 1, "it is tried"
    assert answered[0.01] > 5 * answered[0.1], answered


def test_the_ready_engine_with_the_least_in_flight_is_taken(tmp_path: Path) -> None:
    async def run() -> None:
        async def silent(frames: Frames, writer: asyncio.StreamWriter) -> None:
            writer.writelines(READY.parts())
            while await frames.next() is not None:
                pass

        async with engines(silent, tmp_path / "first", tmp_path / "second") as pool:
            while not all(client.ready for client in pool.clients):
                await asyncio.sleep(0.005)
            work = [asyncio.create_task(pool.score([b"x"] * size, in_ten_seconds())) for size in (3, 1, 1, 2)]
            await asyncio.sleep(0.05)
            assert [client.images_in_flight for client in pool.clients] == [3, 4]
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    asyncio.run(run())


def test_a_request_that_no_frame_can_hold_fails_alone(tmp_path: Path) -> None:
    async def patient(frames: Frames, writer: asyncio.StreamWriter) -> None:
        writer.writelines(READY.parts())
        first, other = await frames.next(), await frames.next()
        for frame in (first, other):
            assert frame is not None
            done = Frame(FrameKind.RESULT, frame.number, {"failures": {}, "stages": {}}, [b"{}"])
            writer.writelines(done.parts())

    async def test(pool: EnginePool) -> None:
        await until_ready(pool)
        work = asyncio.create_task(pool.score([b"x"], in_ten_seconds()))
        await asyncio.sleep(0)
        with pytest.raises(ServiceError, match="bytes, and may have 16777216") as caught:
            await pool.score([b"x"], in_ten_seconds(), settings={0: {"x": "\u00e9" * 3_000_000}})
        assert caught.value.code == "body_too_large"
        with pytest.raises(ServiceError, match="65537 blobs"):
            await pool.score([b""] * (2**16 + 1), in_ten_seconds())
        assert [client.images_in_flight for client in pool.clients] == [1]
        assert (await pool.score([b"x"], in_ten_seconds())).outcomes == [b"{}"]
        assert (await work).outcomes == [b"{}"]

    with_engine(tmp_path / "socket", patient, test)


class _Wordy(SocketClient):
    """Answers every request with more words than a frame holds, or with as many as were asked for."""

    def handle(self, frame: Frame) -> None:
        stages = "x" * 2**24 if frame.fields["explain"] else {}
        self.reply(Frame(FrameKind.RESULT, frame.number, {"failures": {}, "stages": stages}, [b"{}"]))

    def cancel_all(self) -> None:
        pass


def test_a_reply_that_no_frame_can_hold_fails_alone(tmp_path: Path) -> None:
    async def run() -> None:
        listener = SocketListener("starting", lambda: _Wordy(listener))
        listener.state = dict(READY.fields)
        server = await asyncio.get_running_loop().create_unix_server(
            lambda: _Wordy(listener).connection, tmp_path / "socket"
        )
        pool = EnginePool([tmp_path / "socket"])
        pool.connect()
        await asyncio.wait_for(until_ready(pool), 10)
        with pytest.raises(ServiceError, match="Ask for fewer images or attributions") as caught:
            await pool.score([b"x"], in_ten_seconds(), {0: {}})
        assert (caught.value.code, caught.value.status) == ("reply_too_large", 422)
        assert (await pool.score([b"x"], in_ten_seconds())).outcomes == [b"{}"]
        assert len(listener.clients) == 1
        pool.close()
        server.close()
        while listener.clients:
            await asyncio.sleep(0.005)

    asyncio.run(run())
