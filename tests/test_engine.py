"""Requests through the cache: what is a hit, what is asked again, what is served when the origin is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from mirror.errors import Offline, OriginError, Unavailable
from mirror.evict import Limits
from tests.conftest import World, right, take
from tests.instruments import bodies
from tests.instruments.clock import eventually

MB = 1_000_000
MAKE = Callable[..., World]


def expires(world: World, **changes: float) -> None:
    world.mirror = replace(world.mirror, **changes)  # type: ignore[arg-type]


class TestFreshness:
    async def test_a_stale_entry_is_asked_about_and_renewed(self, world: World) -> None:
        await world.get("/obj/a/1000", "cc=max-age=60")
        world.clock.wind(61)
        again = await world.get("/obj/a/1000", "cc=max-age=60")
        assert right(again, "a", 1000)
        assert again.outcome == "mirror; fwd=stale; fwd-status=304"
        assert world.origin.sent("/obj/a/1000") == 1000

    @pytest.mark.row(23, at="1,000 clients in one process with the mirror, the upstream on a socket")
    async def test_a_thousand_clients_on_an_expired_entry_cause_one_question(self, world: World) -> None:
        """Seen red: each request for a stale entry asks the upstream."""
        await world.get("/obj/a/1000", "cc=max-age=60")
        world.clock.wind(61)
        answers = await asyncio.gather(*(world.get("/obj/a/1000", "cc=max-age=60") for _ in range(1000)))
        assert all(right(got, "a", 1000) for got in answers)
        assert world.origin.requests("/obj/a/1000") == 2

    async def test_a_changed_object_replaces_the_stored_one(self, world: World) -> None:
        await world.get("/obj/a/1000", "cc=max-age=60")
        world.origin.bump("/obj/a/1000")
        world.clock.wind(61)
        again = await world.get("/obj/a/1000", "cc=max-age=60")
        assert again.body == bodies.body(bodies.versioned("a", 1), 0, 1000)
        assert len(world.blobs()) == 1

    @pytest.mark.row(15, at="3 in a row are relayed; speed is not taken")
    async def test_what_may_not_be_stored_is_relayed_to_each(self, world: World) -> None:
        for _ in range(3):
            assert right(await world.get("/obj/a/100000", "cc=no-store"), "a", 100_000)
        assert world.origin.requests("/obj/a/100000") == 3
        assert not world.blobs()

    @pytest.mark.row(43, at="5 who wait for an answer that says `private`: each gets its own")
    async def test_an_unshared_answer_is_not_given_to_those_who_waited_for_it(self, world: World) -> None:
        answers = await asyncio.gather(*(world.get("/obj/a/100000", "cc=private") for _ in range(5)))
        assert all(right(got, "a", 100_000) for got in answers)
        assert world.origin.requests("/obj/a/100000") == 5


class TestVariants:
    QUERY = "cc=max-age=60&vary=Accept-Language"

    async def test_variants_of_one_address_live_side_by_side(self, world: World) -> None:
        for language in ("en", "de", "en", "de"):
            got = await world.get("/obj/a/1000", self.QUERY, accept_language=language)
            assert right(got, "a", 1000)
        assert got.reply.outcome.hit
        assert [dict(record.headers)["accept-language"] for record in world.origin.log] == ["en", "de"]

    async def test_who_joins_a_download_of_another_variant_gets_its_own(self, world: World) -> None:
        languages = ["en", "de", "en", "fr"]
        answers = await asyncio.gather(
            *(world.get("/obj/a/100000", self.QUERY, accept_language=language) for language in languages)
        )
        assert all(right(got, "a", 100_000) for got in answers)
        asked = sorted(dict(record.headers)["accept-language"] for record in world.origin.log)
        assert asked == ["de", "en", "fr"]


class TestWhenTheOriginFails:
    @pytest.mark.row(18, at="a refused connection: the stored answer, or an error that names the host")
    async def test_a_dead_origin_is_not_noticed_while_stale_may_be_served(self, world: World) -> None:
        """Seen red: what is stale is not served while the upstream is down."""
        expires(world, keep=3600.0)
        await world.get("/obj/a/1000", "cc=max-age=60")
        world.origin.down()
        world.clock.wind(100)
        got = await world.get("/obj/a/1000", "cc=max-age=60")
        assert right(got, "a", 1000)
        assert got.outcome == "mirror; hit; ttl=-40; detail=stale-if-error"

    @pytest.mark.row(18, at="a refused connection: the stored answer, or an error that names the host")
    async def test_a_miss_on_a_dead_origin_says_why(self, world: World) -> None:
        world.origin.down()
        with pytest.raises(OriginError, match=r"127\.0\.0\.1"):
            await world.get("/obj/a/1000")

    @pytest.mark.row(19, at="500")
    async def test_an_error_of_the_origin_is_relayed_and_not_stored(self, world: World) -> None:
        got = await world.get("/obj/a/1000", "status=500&times=1")
        assert got.reply.head.status == 500
        assert right(await world.get("/obj/a/1000", "status=500&times=1&cc=max-age=60"), "a", 1000)

    async def test_offline_serves_what_is_there_and_asks_nothing(self, world: World) -> None:
        await world.get("/obj/a/1000", "cc=max-age=60")
        world.clock.wind(1000)
        world.mirror = replace(world.mirror, offline=True)
        got = await world.get("/obj/a/1000", "cc=max-age=60")
        assert right(got, "a", 1000)
        with pytest.raises(Offline):
            await world.get("/obj/b/1000")
        assert world.origin.requests() == 1

    async def test_an_unavailable_mirror_says_its_reason(self, world: World) -> None:
        world.mirror = replace(world.mirror, unavailable="npm is not installed")
        with pytest.raises(Unavailable, match="npm is not installed"):
            await world.get("/obj/a/1")


class TestBrokenStores:
    @pytest.mark.row(6, at="a stored file that lost its last bytes is fetched again")
    async def test_a_damaged_blob_is_a_miss(self, world: World) -> None:
        await world.get("/obj/a/1000")
        blob = world.blobs()[0]
        blob.chmod(0o600)
        blob.write_bytes(blob.read_bytes()[:-5])
        assert right(await world.get("/obj/a/1000"), "a", 1000)
        assert (await world.get("/obj/a/1000")).reply.outcome.hit

    async def test_an_evicted_blob_is_a_miss(self, world: World) -> None:
        await world.get("/obj/a/1000")
        world.blobs()[0].unlink()
        assert right(await world.get("/obj/a/1000"), "a", 1000)
        assert world.origin.requests() == 2

    @pytest.mark.row(29, at="one reader of an object that is deleted")
    async def test_eviction_breaks_no_running_reader(self, world: World) -> None:
        """Seen red: a file is closed when it is evicted, whoever reads it."""
        await world.get("/obj/a/3000000")
        reply = await world.ask("/obj/a/3000000")
        entry = await world.index.get("/o/obj/a/3000000?cc=max-age=3600")
        assert entry is not None
        await world.store.delete(entry.blob)
        assert right(await take(reply), "a", 3 * MB)

    @pytest.mark.row(25, at="a cache without room: 4 readers of 30 MB get all")
    async def test_no_room_streams_through_complete_and_verified(self, make_world: MAKE) -> None:
        async with make_world(limits=Limits(MB)).open() as world:
            everybody = await asyncio.gather(*(world.get("/obj/a/30000000") for _ in range(4)))
            assert all(right(got, "a", 30 * MB) for got in everybody)
            assert not world.blobs()
            assert not world.leftovers()

    @pytest.mark.row(25, at="writes refused at 30 % of 50 MB")
    async def test_a_disk_that_fills_in_the_middle_is_not_noticed(self, world: World) -> None:
        """Seen red: a download ends when the disk refuses."""
        reply = await world.ask("/obj/a/50000000", "cc=max-age=60&hold=30%25&times=1")
        reading = asyncio.create_task(take(reply))
        await eventually(lambda: world.origin.sent("/obj/a/50000000") >= 15 * MB)
        file = world.path / "partial" / world.leftovers()[0]
        _refuse_writes(world)
        world.origin.release("/obj/a/50000000")
        assert right(await reading, "a", 50 * MB)
        await world.settled()
        assert not world.blobs()
        assert not file.exists()


def _refuse_writes(world: World) -> None:
    """From now on nothing more fits: what a full disk says to the next write."""
    world.room.limits = Limits(1)
    for reservation in world.room._reservations:
        reservation.count = 0


class TestHead:
    async def test_a_cold_head_fetches_no_body(self, world: World) -> None:
        reply = await world.ask("/obj/a/1000", method="HEAD")
        await reply.source.close()
        assert reply.head.headers.get("content-length") == "1000"
        assert world.origin.log[-1].method == "HEAD"
        assert not world.fills.running()
