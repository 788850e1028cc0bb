"""Prepared replies whose bodies lie in files: sent at once as far as the client takes them, then in a task."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from mirror.server.hot import Hot
from tests.conftest import World
from tests.instruments import bodies
from tests.instruments.both import OBJECT, Both, ask, both_of
from tests.instruments.clock import eventually
from tests.instruments.listening import listening

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


async def test_a_large_reply_may_take_longer_than_a_connection_may_rest(both: Both) -> None:
    async with listening(both.proxy, Hot(wall=both.world.clock), keep_alive=0) as hasty:
        for _ in range(3):
            await hasty.talk(ask(LARGE_OBJECT))
        assert hasty.hot.table(("http", ("127.0.0.1", hasty.port)))
        reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port, limit=1 << 16)
        writer.write(ask(LARGE_OBJECT))
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(100):  # the loop's timers come to their turn while the rest is on its way
            await asyncio.sleep(0)
        assert await reader.readexactly(LARGE) == bodies.body("l", 0, LARGE)
        writer.close()
