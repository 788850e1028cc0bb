"""Interleavings: no wait without end, purges that hold, nothing left behind whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from mirror.errors import OriginError
from mirror.evict import Limits
from mirror.model import Entry, Request
from mirror.operations import Selection
from mirror.settings import FillSettings
from mirror.stores.memory import MemoryIndex
from tests.conftest import World, right, take
from tests.instruments import bodies
from tests.instruments.clock import eventually
from tests.instruments.origin import Response

MB = 1_000_000
MAKE = Callable[..., World]


class TestNobodyWaitsForEver:
    async def test_readers_of_a_download_that_a_shutdown_stops_are_told(self, world: World) -> None:
        reply = await world.ask("/obj/a/3000000", "cc=max-age=60&hold=50%25&times=1")
        reading = asyncio.create_task(take(reply))
        await eventually(lambda: world.origin.sent("/obj/a/3000000") >= 1.5 * MB)
        await world.fills.close()
        async with asyncio.timeout(30):
            assert isinstance((await reading).broke, OriginError)

    async def test_a_shutdown_reaches_a_download_that_has_not_begun(self, world: World) -> None:
        asking = asyncio.create_task(world.ask("/obj/a/3000000"))
        while not world.fills.running():  # noqa: ASYNC110  between this and its first step there is no event
            await asyncio.sleep(0)
        closing = asyncio.create_task(world.fills.close())
        async with asyncio.timeout(30):
            await closing
            with pytest.raises(OriginError):
                await asking
        assert not world.fills.running()

    async def test_a_renewal_that_may_not_be_stored_ends(self, world: World) -> None:
        world.mirror = replace(world.mirror, grace=3600.0)
        query = "cc=max-age=60,stale-while-revalidate=3600"
        world.origin.route("/x", headers=[("cache-control", query[3:])], body=b"x" * 1000)
        await world.get("/x", "")
        world.origin.route("/x", headers=[("cache-control", "no-store")], body=b"y" * (20 * MB))
        world.clock.wind(100)
        assert (await world.get("/x", "")).reply.outcome.hit
        async with asyncio.timeout(30):
            await world.settled()

    async def test_who_joins_far_ahead_when_the_first_has_left_is_waited_for(self, make_world: MAKE) -> None:
        async with make_world(limits=Limits(MB), fill=FillSettings(linger=60.0, ring=MB)).open() as world:
            query = "cc=max-age=60&ranges=0"
            reply = await world.ask("/obj/a/30000000", query)
            pieces = reply.source.read(0, reply.size)
            await anext(pieces)
            fill = world.fills.running()[0]
            await eventually(lambda: fill.body and fill.body.received.size > MB)
            await pieces.aclose()
            await reply.source.close()
            async with asyncio.timeout(30):
                assert right(await world.part("/obj/a/30000000", 20 * MB, 21 * MB, query), "a", MB, 20 * MB)

    async def test_an_origin_that_answers_304_to_everything_is_asked_twice(self, world: World) -> None:
        world.origin.route("/x", status=304)
        with pytest.raises(OriginError):
            await world.get("/x", "")
        assert world.origin.requests("/x") <= 2

    async def test_a_part_that_a_broken_origin_keeps_from_us_is_gone_on_with_later(self, world: World) -> None:
        path, query = "/x", ""
        world.origin.route(path, target="/obj/a/100000000?cc=max-age=60&hold=40%25&times=1")
        reply = await world.ask(path, query)
        await eventually(lambda: world.origin.sent(path) >= 40 * MB)
        await reply.source.close()
        await world.settled()
        world.origin.route(path, status=503, body=b"busy")
        assert (await world.get(path, query)).reply.head.status == 503
        await world.settled()
        assert len(world.leftovers()) == 2


class Slow(MemoryIndex):
    """An index that lets others go first before it puts."""

    def __init__(self) -> None:
        super().__init__()
        self.before_put: Callable[[], object] = lambda: None

    async def put(self, entry: Entry) -> None:
        result = self.before_put()
        if asyncio.iscoroutine(result):
            await result
        await super().put(entry)


class TestPurge:
    async def test_a_purge_between_commit_and_index_is_kept_to(self, world: World) -> None:
        slow = Slow()
        world.index = slow
        for part in (world.fills.outside, world.engine._outside):
            object.__setattr__(part, "index", slow)
        world.operations._index = slow
        slow.before_put = lambda: world.operations.purge(Selection(everything=True))
        assert right(await world.get("/obj/a/1000"), "a", 1000)
        await world.settled()
        assert await slow.get("/o/obj/a/1000?cc=max-age=3600") is None
        assert not world.blobs()

    async def test_a_purge_while_a_download_pauses_leaves_no_partial(self, world: World) -> None:
        path, query = "/obj/a/100000000", "cc=max-age=60&hold=25%25&times=1"
        reply = await world.ask(path, query)
        await eventually(lambda: world.origin.sent(path) >= 25 * MB)
        [fill] = world.fills.running()
        await reply.source.close()
        await eventually(lambda: fill.pausing)
        await world.operations.purge(Selection(everything=True))
        await asyncio.wait([fill.task])
        await world.settled()
        assert not world.leftovers()

    async def test_a_purge_while_a_partial_is_resumed_in_vain_leaves_no_partial(self, world: World) -> None:
        path, query = "/x", ""
        world.origin.route(path, target="/obj/a/100000000?cc=max-age=60&hold=25%25&times=1")
        reply = await world.ask(path, query)
        await eventually(lambda: world.origin.sent(path) >= 25 * MB)
        await reply.source.close()
        await world.settled()
        assert world.leftovers()
        gate = asyncio.Event()

        async def held(_: Request) -> Response:
            await gate.wait()
            return Response(503)

        world.origin.route(path, body=held)
        asking = asyncio.create_task(world.get(path, query))
        await eventually(lambda: world.origin.requests(path) == 2)
        await world.operations.purge(Selection(everything=True))
        gate.set()
        await asking
        await world.settled()
        assert not world.leftovers()


class TestNothingIsLeftBehind:
    @pytest.mark.row(22, at="50 that leave while a file is opened")
    async def test_who_leaves_while_a_blob_is_opened_leaves_no_descriptor(self, world: World) -> None:
        """Seen red: a file that was opened for who has left stays open."""
        await world.get("/obj/a/1000")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(50):
            asking = asyncio.create_task(world.ask("/obj/a/1000"))
            for _ in range(3):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            if not asking.cancelled():
                await asking.result().source.close()
        await eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)

    async def test_a_connection_that_is_stopped_before_its_first_step_is_closed(self, world: World) -> None:
        asking = asyncio.create_task(world.ask("/obj/a/3000000"))
        while not any(fill.body for fill in world.fills.running()):  # noqa: ASYNC110  between two steps of the loop
            await asyncio.sleep(0)
        await world.fills.close()
        await (await asking).source.close()
        assert not world.client.in_use

    async def test_an_eviction_that_breaks_moves_no_byte_to_another_place(self, world: World) -> None:
        grown, calls = world.room.take, 0

        async def broken(*args: object) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise RuntimeError("a bug")
            await grown(*args)  # type: ignore[arg-type]

        world.room.take = broken  # type: ignore[method-assign, assignment]
        got = await world.get("/obj/a/30000000", "cc=max-age=60&chunked=1")
        assert right(got, "a", 30 * MB)
        assert not world.blobs()

    @pytest.mark.row(
        5, 22, at="3 x 48 random readers, who leave at random steps, of an upstream that cuts, resets and lies"
    )
    @pytest.mark.parametrize("seed", range(3))
    async def test_whatever_happens_nothing_is_left_in_the_end(self, make_world: MAKE, seed: int) -> None:
        dice = random.Random(seed)
        limits = Limits(dice.choice([4 * MB, 40 * MB, 1 << 40]))
        async with make_world(limits=limits, fill=FillSettings(linger=0.01, retries=1, finish=MB)).open() as world:
            await world.get("/obj/warm/1000")
            before = _descriptors()
            for _ in range(6):
                await asyncio.gather(*(_visit(world, dice) for _ in range(8)))
                if dice.random() < 0.3:
                    await world.operations.purge(Selection(everything=True))
            async with asyncio.timeout(20):
                await world.settled()
            await eventually(lambda: not world.client.in_use)
            await eventually(lambda: not world.fills._retired)
            assert len(world.leftovers()) == 2 * len(world.store._kept)
            assert not world.room._reservations
            assert set(world.room.recency()) == {path.name for path in world.blobs()} | set(world.store._kept.values())
            rows = [entry async for batch in world.index.scan() for entry in batch]
            assert sorted(entry.blob for entry in rows) == sorted(path.name for path in world.blobs())
            await eventually(lambda: _descriptors() <= before)


SHAPES = ["", "&cuts=20,50", "&chunked=1", "&reset=300000&times=1", "&ranges=0", "&etag=none&lm=none&cut=40%25&times=1"]
SHAPES += [
    "&status=503",
    "&lie206=1&cut=50%25&times=2",
    "&lie206=etag&cut=50%25&times=2",
    "&close=1",
    "&ranges=0&cut=9",
]


async def _visit(world: World, dice: random.Random) -> None:
    name, size = dice.choice([("a", 3 * MB), ("b", 6 * MB), ("c", 500_000), ("d", 0)])
    start = dice.choice([0, 0, size // 2])
    end = dice.choice([size, size, min(size, start + 100_000)])
    query, patience = f"cc=max-age=60{dice.choice(SHAPES)}", dice.choice([0, 1, 5, 50, 10_000, 10_000])
    fields = {"range": f"bytes={start}-{end - 1}"} if start else {}

    async def visit() -> None:
        reply = await world.ask(f"/obj/{name}/{size}", query, **fields)
        if reply.head.status != 200 or reply.verbatim:
            await reply.source.close()
            return
        got = await take(reply, start, end)
        objects = [bodies.body(seed, start, end - start) for seed in (name, f"{name}~lie")]  # that the origin has
        seen = (query, name, start, end, len(got.body), got.broke)
        assert any(got.body == one if got.broke is None else one.startswith(got.body) for one in objects), seen

    visiting = asyncio.create_task(visit())
    for _ in range(patience):
        if visiting.done():
            break
        await asyncio.sleep(0)
    else:
        if patience < 10_000:
            visiting.cancel()
    try:
        async with asyncio.timeout(20):
            await visiting
    except (OriginError, asyncio.CancelledError) as exc:
        if isinstance(exc, asyncio.CancelledError) and not visiting.cancelled():
            raise


def _descriptors() -> int:
    """Open files that are no sockets."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum("/cache/" in link for link in links)
