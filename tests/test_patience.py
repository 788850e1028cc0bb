"""Who keeps a connection waiting is let go after a time, and nobody else; the time is wound by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mirror.server.hot import Hot
from mirror.server.limits import Limits
from mirror.server.protocol import MirrorProtocol
from mirror.server.run import Config, Server
from tests.conftest import World
from tests.instruments.both import OBJECT, Both, ask, both_of
from tests.instruments.clock import eventually
from tests.instruments.listening import Listening, listening

LIMITS = Limits()
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Application:
    """Says `ok`, after the whole request; `/large` is answered with `size` bytes, once `go` is set.

    `asked`: how many requests came; `broke`: what `send` raised.
    """

    size = 50_000_000

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.asked = 0
        self.broke: BaseException | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        await self.go.wait()
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            pass
        size = self.size if scope["path"] == "/large" else 2
        fields = [(b"content-length", b"%d" % size)]
        fields += [(b"connection", b"close")] if scope["query_string"] == b"last" else []
        try:
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            for at in range(0, size, 1 << 16):
                piece = b"ok" if size == 2 else bytes(min(1 << 16, size - at))
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except OSError as exc:
            self.broke = exc
            raise


@asynccontextmanager
async def connected(to: Listening) -> AsyncIterator[Streams]:
    """A connection that the server has accepted."""
    before = set(to.connections)
    reader, writer = await asyncio.open_connection("127.0.0.1", to.port, limit=1 << 16)
    await eventually(lambda: to.connections - before)
    try:
        yield reader, writer
    finally:
        writer.close()


class Readiness:
    draining = False


@pytest.fixture
async def both(make_world: Callable[..., World]) -> AsyncIterator[Both]:
    async with both_of(make_world()) as opened:
        yield opened


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
async def server(application: Application) -> AsyncIterator[Listening]:
    async with listening(application, Hot()) as server:
        yield server


@pytest.fixture
async def client(server: Listening) -> AsyncIterator[Streams]:
    async with connected(server) as streams:
        yield streams


def head(*fields: str, target: str = "/", method: str = "GET") -> bytes:
    return ask(target, *fields, method=method)


async def begin(server: Listening, client: Streams, data: bytes) -> None:
    """Send the begin of a head, and be read."""
    (connection,) = server.connections
    client[1].write(data)
    await eventually(lambda: connection._in_head)


async def say(server: Listening, client: Streams, data: bytes) -> None:
    """Send a part of a head or of a body, and be read."""
    (connection,) = server.connections
    read = connection._loose + connection._received
    client[1].write(data)
    await eventually(lambda: connection._loose + connection._received >= read + len(data))


async def ok(client: Streams) -> None:
    answer = await client[0].readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert await client[0].readexactly(2) == b"ok"


async def refused(client: Streams, status: int) -> None:
    """The refusal, and nothing behind it."""
    answer, _, body = (await client[0].read(-1)).partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nconnection: close" in answer
    assert json.loads(body)["status"] == status


class TestHeads:
    async def test_one_that_does_not_end_is_over_in_time_however_often_a_byte_comes(
        self, server: Listening, client: Streams
    ) -> None:
        await begin(server, client, b"GET / HTTP/1.1\r\nX: ")
        for _ in range(2):
            server.wait(LIMITS.head_time / 3)
            await say(server, client, b"x")
        server.wait(LIMITS.head_time / 3 + 0.1)
        await refused(client, 408)

    async def test_so_is_the_second_on_a_connection(self, server: Listening, client: Streams) -> None:
        client[1].write(head())
        await ok(client)
        await begin(server, client, head()[:10])
        server.wait(LIMITS.head_time)
        await refused(client, 408)

    async def test_who_says_nothing_hears_nothing(self, server: Listening, client: Streams) -> None:
        server.wait(LIMITS.head_time - 1)
        assert server.connections
        server.wait(1)
        assert await client[0].read(-1) == b""

    async def test_empty_lines_are_no_head(self, server: Listening, client: Streams) -> None:
        await say(server, client, b"\r\n" * 10)
        server.wait(LIMITS.head_time)
        assert await client[0].read(-1) == b""


class TestRest:
    async def test_a_connection_may_rest_after_each_answer(self, server: Listening, client: Streams) -> None:
        (connection,) = server.connections
        for _ in range(3):
            client[1].write(head())
            await ok(client)
            await eventually(connection._idle)
            server.wait(LIMITS.rest_time - 1)
        server.wait(1)
        assert await client[0].read(-1) == b""

    async def test_an_application_may_work_as_long_as_it_likes(
        self, application: Application, server: Listening, client: Streams
    ) -> None:
        application.go.clear()
        client[1].write(head())
        await eventually(lambda: application.asked)
        server.wait(86400)
        application.go.set()
        await ok(client)


class TestBodies:
    async def test_one_that_is_too_slow(self, application: Application, server: Listening, client: Streams) -> None:
        client[1].write(head("Content-Length: 1000000", method="PUT"))
        await eventually(lambda: application.asked)
        for _ in range(4):
            await say(server, client, bytes(LIMITS.body_least // 5))
            server.wait(LIMITS.body_time / 4)
        await refused(client, 408)

    async def test_chunks_of_nothing_are_no_body(
        self, application: Application, server: Listening, client: Streams
    ) -> None:
        client[1].write(head("Transfer-Encoding: chunked", method="PUT") + b"1;")
        await eventually(lambda: application.asked)
        for _ in range(4):
            await say(server, client, b"x" * 10_000)
            server.wait(LIMITS.body_time / 4)
        await refused(client, 408)

    async def test_one_that_is_fast_enough(self, application: Application, server: Listening, client: Streams) -> None:
        client[1].write(head(f"Content-Length: {LIMITS.body_least * 4}", method="PUT"))
        await eventually(lambda: application.asked)
        for _ in range(4):
            server.wait(LIMITS.body_time - 1)
            await say(server, client, bytes(LIMITS.body_least))
        await ok(client)

    async def test_one_that_nobody_wants_yet(
        self, application: Application, server: Listening, client: Streams
    ) -> None:
        application.go.clear()
        client[1].write(head("Content-Length: 2", "Expect: 100-continue", method="PUT"))
        await eventually(lambda: application.asked)
        server.wait(86400)
        application.go.set()
        assert await client[0].readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client[1].write(b"ab")
        await ok(client)

    async def test_one_that_the_application_is_too_slow_for(
        self, application: Application, server: Listening, client: Streams
    ) -> None:
        application.go.clear()
        client[1].write(head("Content-Length: 100000", method="PUT") + bytes(99_999))
        (connection,) = server.connections
        await eventually(lambda: connection.flow.read_paused)
        server.wait(86400)
        application.go.set()
        client[1].write(b"x")
        await ok(client)


class TestAnswers:
    async def test_who_takes_nothing_is_reset_and_the_application_told(
        self, application: Application, server: Listening, client: Streams
    ) -> None:
        client[1].write(head(target="/large"))
        (connection,) = server.connections
        await eventually(lambda: connection.flow.write_paused)
        server.wait(LIMITS.take_time - 1)
        assert server.connections
        server.wait(1)
        await eventually(lambda: application.broke)
        assert isinstance(application.broke, ConnectionResetError)
        with pytest.raises(ConnectionResetError):
            await client[0].read(-1)

    async def test_who_takes_some_gets_all(self, server: Listening, client: Streams) -> None:
        client[1].write(head(target="/large"))
        (connection,) = server.connections
        await client[0].readuntil(b"\r\n\r\n")
        for _ in range(5):
            await eventually(lambda: connection.flow.write_paused)
            server.wait(LIMITS.take_time - 1)
            await client[0].readexactly(Application.size // 5)

    @pytest.mark.parametrize("target", ["/large", "/large?last"])
    async def test_an_answer_that_the_application_has_written_must_be_taken_too(
        self, application: Application, server: Listening, client: Streams, target: str
    ) -> None:
        (connection,) = server.connections
        connection.transport.set_write_buffer_limits(1 << 30)
        client[1].write(head(target=target))
        await eventually(lambda: connection.transport.get_write_buffer_size() and connection.cycle.response_complete)
        server.wait(LIMITS.take_time)
        await eventually(lambda: not server.connections)


class TestRequestsInARow:
    async def test_who_reads_no_answers_is_read_no_more(
        self, application: Application, server: Listening, client: Streams
    ) -> None:
        application.size = 10_000_000
        (connection,) = server.connections
        sent = head(target="/large") * 20_000
        client[1].write(sent)
        await eventually(lambda: connection.flow.write_paused and connection.flow.read_paused)
        assert application.asked <= 2
        assert len(connection._held) < 1_000_000
        assert not connection.pipeline
        server.wait(LIMITS.take_time)
        await eventually(lambda: not server.connections)

    async def test_each_is_answered_in_turn(self, application: Application, server: Listening, client: Streams) -> None:
        bodies = head("Content-Length: 4", method="PUT") + b"\r\n\r\n"
        chunks = head("Transfer-Encoding: chunked", method="PUT") + b"4\r\n\r\n\r\n\r\n0\r\n\r\n"
        data = (head() + bodies + chunks) * 1000
        for size in (100, 30_011, len(data)):
            client[1].write(data[:size])
            await asyncio.sleep(0)
            client[1].write(data[size:])
            for _ in range(3000):
                await ok(client)
        assert application.asked == 9000

    async def test_what_cannot_be_read_is_refused_in_its_turn(self, server: Listening, client: Streams) -> None:
        client[1].write(head() * 3 + b"\0garbage" + head() * 3)
        for _ in range(3):
            await ok(client)
        await refused(client, 400)


class TestLimits:
    @pytest.mark.parametrize(
        ("status", "request_head"),
        [
            (414, head(target="/" + "a" * LIMITS.target)),
            (431, head(*["X: y"] * LIMITS.fields)),
            (431, head(*["X: " + "y" * 1000] * 70)),
            (431, head("X: " + "y" * LIMITS.head)),
        ],
        ids=["target", "fields", "bytes", "one field"],
    )
    async def test_what_is_too_long_is_refused(
        self, application: Application, server: Listening, client: Streams, status: int, request_head: bytes
    ) -> None:
        client[1].write(head() + request_head + head())
        await ok(client)
        await refused(client, status)
        assert application.asked == 1

    @pytest.mark.parametrize(
        "request_head",
        [
            head(target="/" + "a" * (LIMITS.target - 1)),
            head(*["X: y"] * (LIMITS.fields - 1)),
            head("X: " + "y" * (LIMITS.head - 100)),
        ],
        ids=["target", "fields", "bytes"],
    )
    async def test_what_is_not_is_answered(self, client: Streams, request_head: bytes) -> None:
        client[1].write(request_head + head())
        for _ in range(2):
            await ok(client)

    @pytest.mark.parametrize(
        "begin",
        [
            b"GET / HTTP/1.1\r\nX: ",
            b"GET / HTTP/1.1\r\nX",
            b"GET /",
            head("Transfer-Encoding: chunked", method="PUT") + b"1;",
            head("Transfer-Encoding: chunked", method="PUT") + b"1\r\nx\r\n0\r\nX: ",
        ],
        ids=["value", "name", "target", "chunk extension", "trailer"],
    )
    async def test_what_does_not_end_is_refused_and_the_refusal_heard(
        self, server: Listening, client: Streams, begin: bytes
    ) -> None:
        (connection,) = server.connections
        client[1].write(begin)
        client[1].write(b"x" * 20_000_000)
        await client[1].drain()
        assert not connection._held
        await refused(client, 414 if begin == b"GET /" else 431)

    async def test_trailers_without_end_are_refused(self, server: Listening, client: Streams) -> None:
        client[1].write(head("Transfer-Encoding: chunked", method="PUT") + b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * 200_000)
        await refused(client, 431)

    async def test_who_goes_on_after_a_refusal_is_cut_off(self, server: Listening, client: Streams) -> None:
        client[1].write(b"\0")
        await client[0].readuntil(b"}")
        server.wait(LIMITS.leave_time)
        await eventually(lambda: not server.connections)


async def test_a_prepared_reply_counts_as_an_answer(both: Both) -> None:
    await both.heat(ask(OBJECT))
    async with connected(both.warm) as (reader, writer):
        for _ in range(3):
            both.warm.wait(LIMITS.head_time - 1)
            writer.write(ask(OBJECT))
            assert b"mirror; hit" in await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(1000)
            both.warm.wait(LIMITS.rest_time - 1)
            writer.write(ask(OBJECT))
            assert b"mirror; hit" in await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(1000)


async def test_a_server_looks_by_itself(application: Application) -> None:
    config = Config(
        application, hot=Hot(), limits=Limits(head_time=0.1), http=MirrorProtocol, ws="none", lifespan="off",
        log_config=None, port=0,
    )  # fmt: skip
    server = Server(config, Readiness(), 0.0)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    writer.write(b"GET")
    assert (await reader.read(-1)).startswith(b"HTTP/1.1 408 ")
    writer.close()
    server.should_exit = True
    await task
