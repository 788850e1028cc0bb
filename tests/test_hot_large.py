"""Prepared replies whose bodies lie in files: sent at once as far as the client takes them, then in a task."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import World
from tests.instruments import bodies
from tests.instruments.both import OBJECT, Both, ask, both_of
from tests.instruments.clock import eventually

LARGE = 20_000_000
LARGE_OBJECT = f"/o/obj/l/{LARGE}?cc=max-age=60"


@pytest.fixture
async def both(make_world: Callable[..., World]) -> AsyncIterator[Both]:
    async with both_of(make_world()) as opened:
        yield opened


async def test_a_large_reply_goes_on_while_its_client_reads_slowly(both: Both) -> None:
    await both.heat(ask(LARGE_OBJECT), ask(OBJECT))
    reader, writer = await asyncio.open_connection("127.0.0.1", both.warm.port, limit=1 << 16)
    writer.write(ask(LARGE_OBJECT))
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(ask(OBJECT))  # it comes while the other is on its way
    await writer.drain()
    assert b"mirror; hit" in head
    body = bytearray()
    while len(body) < LARGE:
        body += await reader.readexactly(min(100_000, LARGE - len(body)))
    assert bytes(body) == bodies.body("l", 0, LARGE)
    assert b"mirror; hit" in await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(1000) == bodies.body("a", 0, 1000)
    writer.close()


async def test_who_leaves_a_large_reply_leaves_nothing_behind(both: Both, caplog: pytest.LogCaptureFixture) -> None:
    await both.heat(ask(LARGE_OBJECT))
    entry = await both.world.index.get(LARGE_OBJECT)
    assert entry is not None
    handle = both.world.store._handles.get(entry.blob)
    assert handle is not None
    both.proxy.close()
    with caplog.at_level(logging.INFO, "mirror.access"):
        reader, writer = await asyncio.open_connection("127.0.0.1", both.warm.port, limit=1 << 16)
        writer.write(ask(LARGE_OBJECT))
        await reader.readuntil(b"\r\n\r\n")
        assert handle.readers == 1
        writer.transport.abort()
        await eventually(lambda: handle.readers == 0)
        both.proxy.close()
    assert "incomplete [mirror; hit" in caplog.text


async def test_a_part_of_a_large_reply(both: Both) -> None:
    request = ask(LARGE_OBJECT, f"Range: bytes={LARGE - 1_000_000}-")
    await both.heat(ask(LARGE_OBJECT), request)
    answer = await both.same(request)
    assert answer.startswith(b"HTTP/1.1 206 ")
    assert answer.endswith(bodies.body("l", LARGE - 1_000_000, 1_000_000))


async def narrow(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that takes little at a time."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=connection, limit=1 << 16)


async def test_a_large_reply_may_take_as_long_as_its_client_takes_some_of_it(both: Both) -> None:
    await both.heat(ask(LARGE_OBJECT))
    reader, writer = await narrow(both.warm.port)
    writer.write(ask(LARGE_OBJECT))
    assert b"mirror; hit" in await reader.readuntil(b"\r\n\r\n")
    body = b""
    while len(body) < LARGE:
        both.warm.wait(59)
        body += await reader.readexactly(4_000_000)
    assert body == bodies.body("l", 0, LARGE)
    writer.close()


@pytest.mark.row(31, at="one reader of a prepared answer, by a wound clock")
async def test_who_takes_nothing_of_a_large_reply_is_reset_and_leaves_nothing_behind(both: Both) -> None:
    await both.heat(ask(LARGE_OBJECT))
    entry = await both.world.index.get(LARGE_OBJECT)
    assert entry is not None
    handle = both.world.store._handles.get(entry.blob)
    assert handle is not None
    reader, writer = await narrow(both.warm.port)
    writer.write(ask(LARGE_OBJECT))
    await reader.readuntil(b"\r\n\r\n")
    (connection,) = both.warm.connections
    await eventually(lambda: connection._file_sender.waiting)
    both.warm.wait(59)
    assert handle.readers == 1
    both.warm.wait(1)
    await eventually(lambda: handle.readers == 0 and not both.warm.connections)
    with pytest.raises(ConnectionResetError):
        await reader.read(-1)
    writer.close()
