"""Who keeps a connection waiting is let go after a time, and nobody else; the time is wound by hand."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mirror.certificate import context
from mirror.server.hot import Hot
from mirror.server.limits import Limits
from mirror.server.protocol import MirrorProtocol
from mirror.server.run import Config, Server
from tests.conftest import World
from tests.instruments.both import OBJECT, Both, ask, both_of
from tests.instruments.clock import eventually
from tests.instruments.listening import Listening, listening
from tests.instruments.tls import certified
from tests.server.conftest import Application, Streams, connected, head, ok, refused, rest

LIMITS = Limits()


class Readiness:
    draining = False


class Reloading:
    def __init__(self) -> None:
        self.parts: list[object] = []


class Run:
    """What a server asks of its application."""

    def __init__(self) -> None:
        self.readiness = Readiness()
        self.reloading = Reloading()


@pytest.fixture
async def both(make_world: Callable[..., World]) -> AsyncIterator[Both]:
    async with both_of(make_world()) as opened:
        yield opened


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


class TestHeads:
    @pytest.mark.row(32, at="one connection each, by a wound clock: 10 s for a head")
    async def test_one_that_does_not_end_is_over_in_time_however_often_a_byte_comes(
        self, server: Listening, client: Streams
    ) -> None:
        """Seen red: each byte of a head is given the time of the whole."""
        await begin(server, client, b"GET / HTTP/1.1\r\nX: ")
        for _ in range(2):
            server.wait(LIMITS.head_time / 3)
            await say(server, client, b"x")
        server.wait(LIMITS.head_time / 3 + 0.1)
        await refused(client, 408)

    @pytest.mark.row(32, at="one connection each, by a wound clock: 10 s for a head")
    async def test_so_is_the_second_on_a_connection(self, server: Listening, client: Streams) -> None:
        client[1].write(head())
        await ok(client)
        await begin(server, client, head()[:10])
        server.wait(LIMITS.head_time)
        await refused(client, 408)

    @pytest.mark.row(32, at="one connection each, by a wound clock: 10 s for a head")
    async def test_who_says_nothing_hears_nothing(self, server: Listening, client: Streams) -> None:
        server.wait(LIMITS.head_time - 1)
        assert server.connections
        server.wait(1)
        assert await rest(client) == b""

    @pytest.mark.row(32, at="one connection each, by a wound clock: 10 s for a head")
    async def test_empty_lines_are_no_head(self, server: Listening, client: Streams) -> None:
        await say(server, client, b"\r\n" * 10)
        server.wait(LIMITS.head_time)
        assert await rest(client) == b""


class TestRest:
    async def test_a_connection_may_rest_after_each_answer(self, server: Listening, client: Streams) -> None:
        (connection,) = server.connections
        for _ in range(3):
            client[1].write(head())
            await ok(client)
            await eventually(connection._idle)
            server.wait(LIMITS.rest_time - 1)
        server.wait(1)
        assert await rest(client) == b""

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
    @pytest.mark.row(32, at="a request's body: 30,000 bytes in 30 s at least")
    async def test_one_that_is_too_slow(self, application: Application, server: Listening, client: Streams) -> None:
        """Seen red: a request's body may come byte by byte."""
        client[1].write(head("Content-Length: 1000000", method="PUT"))
        await eventually(lambda: application.asked)
        for _ in range(4):
            await say(server, client, bytes(LIMITS.body_least // 5))
            server.wait(LIMITS.body_time / 4)
        await refused(client, 408)

    @pytest.mark.row(32, at="a request's body: 30,000 bytes in 30 s at least")
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

    async def test_one_whose_turn_has_not_come(
        self, application: Application, server: Listening, client: Streams
    ) -> None:
        application.go.clear()
        client[1].write(head("Content-Length: 4", method="PUT"))
        await eventually(lambda: application.asked)
        client[1].write(b"body" + head("Content-Length: 2", method="PUT"))
        (connection,) = server.connections
        await eventually(lambda: connection.pipeline)
        server.wait(86400)
        application.go.set()
        await ok(client)
        client[1].write(b"ab")
        await ok(client)


class TestAnswers:
    @pytest.mark.row(31, at="one reader, by a wound clock: 60 s without a byte taken")
    async def test_who_takes_nothing_is_reset_and_the_application_told(
        self, application: Application, server: Listening, client: Streams
    ) -> None:
        """Seen red: who takes nothing is waited for."""
        client[1].write(head(target="/large"))
        (connection,) = server.connections
        await eventually(lambda: connection.flow.write_paused)
        server.wait(LIMITS.take_time - 1)
        assert server.connections
        server.wait(1)
        server.wait(1)  # its end is not told yet
        await eventually(lambda: application.broke)
        assert isinstance(application.broke, ConnectionResetError)
        with pytest.raises(ConnectionResetError):
            await rest(client)

    async def test_who_takes_some_gets_all(self, server: Listening, client: Streams) -> None:
        client[1].write(head(target="/large"))
        (connection,) = server.connections
        await client[0].readuntil(b"\r\n\r\n")
        for _ in range(5):
            await eventually(lambda: connection.flow.write_paused)
            server.wait(LIMITS.take_time - 1)
            await client[0].readexactly(Application.size // 5)

    @pytest.mark.row(31, at="one reader, by a wound clock: 60 s without a byte taken")
    async def test_the_same_by_https(self, application: Application, tmp_path: Path) -> None:
        certificate, key = certified(tmp_path, "server")
        trust = ssl.create_default_context(cafile=certificate)
        async with listening(application, Hot(), secure=context(certificate, key)) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)
            writer.write(head(target="/large"))
            await eventually(lambda: any(each.flow.write_paused for each in server.connections))
            server.wait(LIMITS.take_time - 1)
            assert server.connections
            server.wait(1)
            await eventually(lambda: application.broke)
            assert not server.connections
            writer.transport.abort()

    @pytest.mark.row(31, at="one reader, by a wound clock: 60 s without a byte taken")
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


@pytest.mark.row(32, at="one connection each, by a wound clock: 10 s for a head")
async def test_a_server_looks_by_itself(application: Application) -> None:
    """Seen red: nobody looks at how long clients are waited for."""
    config = Config(
        application, hot=Hot(), limits=Limits(head_time=0.1), http=MirrorProtocol, ws="none", lifespan="off",
        log_config=None, port=0,
    )  # fmt: skip
    server = Server(config, Run(), 0.0)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    try:
        writer.write(b"GET")
        assert (await rest((reader, writer))).startswith(b"HTTP/1.1 408 ")
    finally:
        writer.close()
        server.should_exit = True
        await task
