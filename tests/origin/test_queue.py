"""Those who wait for a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mirror.errors import Unavailable
from mirror.origin import Answer, Origin
from tests.origin.scripted import HELLO, Make, RawOrigin, body, get


async def asked(origin: Origin, urls: Sequence[str]) -> asyncio.Task[Answer]:
    """A fetch that has come as far as it can."""
    task = asyncio.create_task(origin.fetch(urls))
    await asyncio.sleep(0)
    return task


async def test_those_who_wait_for_a_connection_are_served_in_order(raw: RawOrigin, make: Make) -> None:
    origin = await make(max_connections=1, max_waiting=3)
    holding = await origin.fetch([raw.url + "/hello"])
    raw.scripts |= {f"/{n}": HELLO for n in range(3)}
    waiting = [await asked(origin, [f"{raw.url}/{n}"]) for n in range(3)]
    with pytest.raises(Unavailable, match="too many"):
        await origin.fetch([raw.url + "/hello"])
    assert origin.in_use == {raw.url: 1}
    await holding.aclose()
    for task in waiting:
        await (await task).aclose()
    assert [request.split()[1] for request in raw.asked] == [b"/hello", b"/0", b"/1", b"/2"]


async def test_one_upstream_does_not_wait_for_another(raw: RawOrigin, make: Make) -> None:
    other = RawOrigin()
    await other.start()
    origin = await make(max_connections=1)
    async with await origin.fetch([raw.url + "/hello"]):
        assert await get(origin, other.url + "/hello") == b"hello"
    await other.stop()


async def test_a_cancelled_waiter_takes_no_place_with_it(raw: RawOrigin, make: Make) -> None:
    origin = await make(max_connections=1)
    holding = await origin.fetch([raw.url + "/hello"])
    leaving, granted, staying = [await asked(origin, [raw.url + "/hello"]) for _ in range(3)]
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await holding.aclose()
    granted.cancel()  # its place is granted already, but it has not run since
    await asyncio.gather(granted, return_exceptions=True)
    assert leaving.cancelled()
    assert granted.cancelled()
    assert await body(await staying) == b"hello"


async def test_a_cancelled_fetch_gives_its_place_back_and_drops_the_connection(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b""
    raw.held.add("/x")
    origin = await make(max_connections=1, head_timeout=0.5, min_rate_window=0.5)
    task = asyncio.create_task(origin.fetch([raw.url + "/x"]))
    await raw.until(lambda: raw.open == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await raw.until(lambda: raw.open == 0)
    assert await get(origin, raw.url + "/hello") == b"hello"


async def test_two_urls_of_one_full_upstream_do_not_wait_for_each_other(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 503 X\r\nContent-Length: 5\r\n\r\nerror"
    origin = await make(max_connections=1)
    async with asyncio.timeout(10):
        assert await get(origin, raw.url + "/x", raw.url + "/hello") == b"hello"
