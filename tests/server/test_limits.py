"""What a client may send has limits, and what comes too early waits its turn."""

from __future__ import annotations

import asyncio

import pytest

from mirror.server.limits import Limits
from tests.instruments.clock import eventually
from tests.instruments.listening import Listening
from tests.server.conftest import Application, Streams, head, ok, refused

LIMITS = Limits()


class TestRequestsInARow:
    @pytest.mark.row(31, at="one who sends 20,000 requests and reads nothing: less than 1 MB is held")
    async def test_who_reads_no_answers_is_read_no_more(
        self, application: Application, server: Listening, client: Streams
    ) -> None:
        """Seen red: who reads no answers is read on, and what comes is held."""
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

    @pytest.mark.row(41, at="garbage between pipelined requests")
    async def test_what_cannot_be_read_is_refused_in_its_turn(self, server: Listening, client: Streams) -> None:
        client[1].write(head() * 3 + b"\0garbage" + head() * 3)
        for _ in range(3):
            await ok(client)
        await refused(client, 400)


@pytest.mark.row(33)
class TestLimits:
    @pytest.mark.row(33, at="16 KiB of address, 64 KiB or 256 lines of fields, by default")
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
        """Seen red: a head may have any number of fields; an address may have any length."""
        client[1].write(head() + request_head + head())
        await ok(client)
        await refused(client, status)
        assert application.asked == 1

    @pytest.mark.row(33, at="16 KiB of address, 64 KiB or 256 lines of fields, by default")
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

    @pytest.mark.row(33, at="20 MB of a head, a trailer or a chunk's extension: nothing is held")
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
        """Seen red: one field may have any length."""
        (connection,) = server.connections
        client[1].write(begin)
        client[1].write(b"x" * 20_000_000)
        await client[1].drain()
        assert not connection._held
        await refused(client, 414 if begin == b"GET /" else 431)

    @pytest.mark.row(33, at="20 MB of a head, a trailer or a chunk's extension: nothing is held")
    async def test_trailers_without_end_are_refused(self, server: Listening, client: Streams) -> None:
        client[1].write(head("Transfer-Encoding: chunked", method="PUT") + b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * 200_000)
        await refused(client, 431)

    async def test_who_goes_on_after_a_refusal_is_cut_off(self, server: Listening, client: Streams) -> None:
        client[1].write(b"\0")
        await client[0].readuntil(b"}")
        server.wait(LIMITS.leave_time)
        await eventually(lambda: not server.connections)
