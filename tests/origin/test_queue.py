"""Those who wait for a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mirror.errors import Unavailable
from mirror.gate import Gate
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


async def places(gate: Gate, client: str, count: int, order: list[str]) -> list[asyncio.Task[None]]:
    """So many requests of a client, each of which notes when it has its place."""

    async def one() -> None:
        await gate.enter(client)
        order.append(client)

    tasks = [asyncio.create_task(one()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def turns(gate: Gate, order: list[str], count: int, start: int = 0) -> list[str]:
    """Who has a place, after as many have left one by one, from the one at `start` on."""
    for n in range(start, start + count):
        gate.leave(order[n])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return order


class TestTurns:
    @pytest.mark.row(14)
    async def test_one_client_with_many_does_not_keep_another_waiting(self) -> None:
        """Seen red: all clients wait for connections in one line."""
        gate, order = Gate(2, 1000), list[str]()
        many = await places(gate, "192.0.2.1", 100, order)
        few = await places(gate, "192.0.2.2", 3, order)
        other = await places(gate, "192.0.2.3", 1, order)
        await turns(gate, order, 6)
        assert [client[-1] for client in order] == list("11" + "123121")
        await turns(gate, order, 98, start=6)
        assert gate.used == 0
        assert gate.waiting == 0
        await asyncio.gather(*many, *few, *other)

    @pytest.mark.row(14, at="one client with many slow downloads leaves places to others")
    async def test_one_client_does_not_get_all_places(self) -> None:
        """Seen red: one client gets all connections of an upstream."""
        gate, order = Gate(8, 1000), list[str]()
        tasks = await places(gate, "192.0.2.1", 20, order)
        assert gate.used == 6
        tasks += await places(gate, "192.0.2.2", 2, order)
        assert order[6:] == ["192.0.2.2"] * 2
        tasks += await places(gate, "192.0.2.3", 1, order)
        assert gate.used == 8
        await turns(gate, order, 23)
        assert gate.used == 0
        await asyncio.gather(*tasks)

    async def test_where_too_many_wait_the_last_of_the_longest_line_is_refused(self) -> None:
        gate, order = Gate(1, 5), list[str]()
        many = await places(gate, "192.0.2.1", 6, order)
        one = await places(gate, "192.0.2.2", 1, order)
        with pytest.raises(Unavailable):
            await many[-1]
        with pytest.raises(Unavailable):
            await gate.enter("192.0.2.1")
        assert gate.waiting == 5
        await turns(gate, order, 6)
        assert (gate.used, gate.waiting) == (0, 0)
        assert order[2] == "192.0.2.2"
        await asyncio.gather(*many[:-1], *one)

    async def test_who_leaves_the_line_leaves_nothing_behind(self) -> None:
        gate, order = Gate(1, 10), list[str]()
        holding = await places(gate, "192.0.2.1", 1, order)
        waiting = await places(gate, "192.0.2.2", 3, order)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert gate.waiting == 0
        gate.leave("192.0.2.1")
        assert (gate.used, order) == (0, ["192.0.2.1"])
        await asyncio.gather(*holding)
