"""The minimum rate, and who counts as slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from mirror.errors import OriginTimeout
from tests.origin.scripted import Make, RawOrigin, get


class Drip(httpx.AsyncByteStream):
    def __init__(self, chunk: bytes, every: float, count: int) -> None:
        self.chunk, self.every, self.count = chunk, every, count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.count):
            await asyncio.sleep(self.every)
            yield self.chunk


def dripping(chunk: bytes, every: float, count: int) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(200, stream=Drip(chunk, every, count)))


@pytest.mark.row(20, at="a window of 0.2 s in place of the default")
async def test_a_body_that_stalls_is_given_up_and_its_connection_dropped(raw: RawOrigin, make: Make) -> None:
    """Seen red: there is no least rate."""
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"
    raw.held.add("/x")
    origin = await make(min_rate=1, min_rate_window=0.2)
    with pytest.raises(OriginTimeout, match="bytes per second"):
        await get(origin, raw.url + "/x")
    await raw.until(lambda: raw.open == 0)


@pytest.mark.row(20, at="a window of 0.2 s in place of the default")
async def test_a_body_that_only_drips_is_given_up(make: Make) -> None:
    origin = await make(dripping(b"x", 0.02, 1000), min_rate=1000, min_rate_window=0.2)
    async with asyncio.timeout(10):
        with pytest.raises(OriginTimeout, match="1000 bytes per second"):
            await get(origin, "http://upstream.test/x")


async def test_a_body_that_is_slow_but_fast_enough_comes_whole(make: Make) -> None:
    origin = await make(dripping(b"x" * 100, 0.05, 30), min_rate=500, min_rate_window=1.0)
    assert len(await get(origin, "http://upstream.test/x")) == 3000


@pytest.mark.row(20, at="a slow client is not taken for a slow upstream")
async def test_a_slow_reader_is_not_blamed_on_the_origin(raw: RawOrigin, make: Make) -> None:
    whole = 2_000_000
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % whole + b"x" * whole
    origin = await make(min_rate=1000, min_rate_window=0.1)
    async with AsyncExitStack() as stack:
        answer = await stack.enter_async_context(await origin.fetch([raw.url + "/x"]))
        got, pauses = 0, iter([0.15] * 3)
        async for chunk in answer.chunks():
            got += len(chunk)
            await asyncio.sleep(next(pauses, 0))
    assert got == whole
