"""Who is through with a request leaves nothing to the garbage collector, whose search everybody waits for."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from tests.conftest import World
from tests.instruments.both import OBJECT, Both, ask, both_of

FRESH = "cc=max-age=60"
OURS = ("mirror", "httpx", "aiohttp", "uvicorn")


@pytest.fixture
async def both(make_world: Callable[..., World]) -> AsyncIterator[Both]:
    async with both_of(make_world()) as opened:
        yield opened


def garbage() -> Counter[str]:
    """What the collector finds of the classes that serve a request."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    found = Counter(type(each).__qualname__ for each in gc.garbage if type(each).__module__.partition(".")[0] in OURS)
    gc.garbage.clear()
    gc.collect()
    return found


Ask = Callable[[Both, int], Awaitable[object]]


def asking(target: str, *fields: str) -> Ask:
    """A request for a target, in which `{n}` is another one each time."""

    async def asked(both: Both, n: int) -> object:
        return await both.cold.talk(ask(target.format(n=n), *fields))

    return asked


async def leaving(both: Both, n: int) -> None:
    """A client that leaves in the middle of a body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", both.cold.port)
    writer.write(ask(f"/o/obj/left{n}/3000000?{FRESH}"))
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def stale(both: Both, n: int) -> None:
    target = ask(f"/o/obj/s{n}/50?cc=max-age=1")
    await both.cold.talk(target)
    await both.world.settled()
    both.world.clock.wind(5)
    await both.cold.talk(target)


def broken(target: str) -> Ask:
    """A request whose answer breaks off."""

    async def asked(both: Both, n: int) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await both.cold.talk(ask(target.format(n=n)))

    return asked


def stale_of_the_dead(directive: str) -> Ask:
    """What is stored is served, because the origin cannot be asked, or while it is."""

    async def asked(both: Both, n: int) -> None:
        target = ask(f"/o/obj/{directive}{n}/50?cc=max-age=1,{directive}=600")
        await both.cold.talk(target)
        await both.world.settled()
        both.world.clock.wind(5)
        both.world.origin.down()
        (answer,) = await both.cold.talk(target)
        await both.world.settled()
        both.world.origin.up()
        assert b" 200 " in answer[:20]
        both.world.clock.wind(60)  # it is not left alone any more

    return asked


KINDS: dict[str, Ask] = {
    "a miss": asking(f"/o/obj/m{{n}}/50?{FRESH}"),
    "a miss of something large": asking(f"/o/obj/l{{n}}/3000000?{FRESH}"),
    "a part of what is not here": asking(f"/o/obj/p{{n}}/3000000?{FRESH}", "Range: bytes=1000000-1000099"),
    "a hit": asking(OBJECT),
    "what may not be stored": asking("/o/obj/x{n}/50?cc=no-store"),
    "what may not be stored, and is large": asking("/o/obj/y{n}/3000000?cc=no-store"),
    "nothing": asking("/o/nothing/{n}"),
    "a revalidation": stale,
    "a client that leaves": leaving,
    "a packument": asking("/npm/thing", "X-Own: {n}"),
    "a page": asking("/pypi/simple/thing/"),
    "a file": asking("/pypi/files/files/thing-1.zip"),
    "no such mirror": asking("/nowhere/{n}"),
    "an upstream that is dead": asking("/dead/{n}"),
    "an upstream that gives up": asking("/o/obj/g{n}/50?drop=1"),
    "an error of the upstream": asking("/o/obj/e{n}/50?status=500"),
    "an answer that breaks off": broken("/o/obj/b{n}/300000?cut=1000"),
    "an answer that breaks off, and is large": broken("/o/obj/b{n}/3000000?cut=1500000"),
    "a wrong length": broken(f"/o/obj/w{{n}}/50?length=49&{FRESH}"),
    "what cannot be asked for again": stale_of_the_dead("stale-if-error"),
    "what cannot be renewed": stale_of_the_dead("stale-while-revalidate"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_request_leaves_nothing_to_the_collector(both: Both, kind: str) -> None:
    """Seen red: without `Cycle.end`, `answer.shut`'s clearing, the weak references of `Segments` and `Fill._body`,
    `_writers.clear` of a partial, or the `forget`s of origin, fill, segment or proxy."""
    await KINDS[kind](both, 0)
    await both.world.settled()
    gc.collect()
    gc.disable()
    try:
        for n in range(1, 6):
            await KINDS[kind](both, n)
            await both.world.settled()
        found = garbage()
    finally:
        gc.enable()
    assert not {name: count for name, count in found.items() if count >= 4}
