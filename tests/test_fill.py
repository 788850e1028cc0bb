"""The file with holes, one download per key: against an origin with faults on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from mirror.errors import Changed, OriginError
from mirror.operations import Selection
from mirror.settings import FillSettings
from tests.conftest import World, right, take
from tests.instruments import bodies
from tests.instruments.clock import eventually
from tests.instruments.log import IN_FLIGHT

MB = 1_000_000
MAKE = Callable[..., World]


class TestOneDownloadForAll:
    async def test_the_second_request_is_a_hit(self, world: World) -> None:
        assert right(await world.get("/obj/a/3000000"), "a", 3 * MB)
        again = await world.get("/obj/a/3000000")
        assert right(again, "a", 3 * MB)
        assert again.outcome in ("mirror; hit; ttl=3600", "mirror; hit; ttl=3599")
        assert world.origin.requests("/obj/a/3000000") == 1

    @pytest.mark.row(11, at="20 clients, 3 MB")
    async def test_twenty_at_once_cause_one_request(self, world: World) -> None:
        """Seen red: each request begins a fill of its own."""
        all_of_them = await asyncio.gather(*(world.get("/obj/a/3000000") for _ in range(20)))
        assert all(right(got, "a", 3 * MB) for got in all_of_them)
        assert world.origin.requests("/obj/a/3000000") == 1
        assert sum("collapsed" in got.outcome for got in all_of_them) == 19

    @pytest.mark.row(12, at="bytes come while the upstream holds the second half back; the time is not taken")
    async def test_the_first_byte_comes_before_the_origin_sent_the_last(self, world: World) -> None:
        """Seen red: nobody gets a byte before all are there."""
        reply = await world.ask("/obj/a/3000000", "cc=max-age=60&hold=50%25&times=1")
        pieces = reply.source.read(0, reply.size)
        assert len(await anext(pieces)) > 0  # the origin holds the second half back
        world.origin.release("/obj/a/3000000")
        await pieces.aclose()
        await reply.source.close()

    @pytest.mark.row(12, at="one who joins at 90 % gets all; the time is not taken")
    async def test_one_who_joins_late_gets_the_beginning_too(self, world: World) -> None:
        query = "cc=max-age=60&hold=90%25&times=1"
        first = await world.ask("/obj/a/20000000", query)
        early = asyncio.create_task(take(first))
        await eventually(lambda: world.origin.sent("/obj/a/20000000") >= 18 * MB)
        late = asyncio.create_task(take(await world.ask("/obj/a/20000000", query)))
        world.origin.release("/obj/a/20000000")
        assert right(await early, "a", 20 * MB)
        assert right(await late, "a", 20 * MB)
        assert world.origin.requests("/obj/a/20000000") == 1

    @pytest.mark.row(14, at="one stands still, one reads: 30 MB; the speed is not taken")
    async def test_a_reader_that_stands_still_holds_up_nobody(self, world: World) -> None:
        """Seen red: a download waits for its slowest reader."""
        slow = await world.ask("/obj/a/30000000")
        standing = slow.source.read(0, slow.size)
        await anext(standing)
        assert right(await world.get("/obj/a/30000000"), "a", 30 * MB)
        rest = [piece async for piece in standing]
        assert rest
        await slow.source.close()

    @pytest.mark.row(13)
    async def test_download_outlives_the_client_that_caused_it(self, world: World) -> None:
        """Seen red: a download ends when its first client leaves."""
        asked = ("/obj/a/3000000", "cc=max-age=60&hold=10%25&times=1")
        first = await world.ask(*asked)
        others = [asyncio.create_task(take(await world.ask(*asked))) for _ in range(49)]
        assert sum([len(piece) async for piece in first.source.read(0, 3 * MB // 10)]) == 3 * MB // 10
        await first.source.close()
        world.origin.release("/obj/a/3000000")
        for other in others:
            assert right(await other, "a", 3 * MB)
        assert world.origin.requests("/obj/a/3000000") == 1

    async def test_a_small_download_that_everybody_left_is_finished(self, world: World) -> None:
        reply = await world.ask("/obj/a/3000000", "cc=max-age=60&hold=50%25&times=1")
        await reply.source.close()
        world.origin.release("/obj/a/3000000")
        await world.settled()
        assert (await world.get("/obj/a/3000000", "cc=max-age=60&hold=50%25&times=1")).reply.outcome.hit

    @pytest.mark.row(22, at="5 downloads that are left, of which 2 may go on")
    async def test_of_downloads_that_everybody_left_a_few_go_on(self, make_world: MAKE) -> None:
        """Seen red: 10,000 cancelled downloads go on, all of them at once."""
        query = "cc=max-age=60&hold=50%25&times=1"
        async with make_world(fill=FillSettings(linger=60.0, deserted=2)).open() as world:
            for n in range(5):
                reply = await world.ask(f"/obj/{n}/300000", query)
                await reply.source.close()
            await eventually(lambda: len(world.fills.running()) == 2)
            again = asyncio.create_task(world.get("/obj/0/300000", query))  # whoever is asked for again makes room
            await eventually(lambda: len(world.fills.deserted) == 1)
            reply = await world.ask("/obj/5/300000", query)
            await reply.source.close()
            for n in range(6):
                world.origin.release(f"/obj/{n}/300000")
            assert right(await again, "0", 300_000)
            await world.settled()
            for n, stored in enumerate([True, True, False, False, False, True]):
                assert (await world.get(f"/obj/{n}/300000", query)).reply.outcome.hit == stored
                assert not world.fills.deserted

    async def test_the_entry_is_visible_before_the_last_byte_is_out(self, world: World) -> None:
        reply = await world.ask("/obj/a/3000000")
        seen = 0
        async for piece in reply.source.read(0, reply.size):
            seen += len(piece) if isinstance(piece, bytes | memoryview) else piece.count
            if seen == 3 * MB:
                assert (await world.ask("/obj/a/3000000")).outcome.hit
        await reply.source.close()
        assert seen == 3 * MB

    async def test_bodies_of_unknown_length_and_of_none_are_stored(self, world: World) -> None:
        for path, query, size in [
            ("/obj/a/3000000", "cc=max-age=60&chunked=1", 3 * MB),
            ("/obj/b/0", "cc=max-age=60", 0),
            ("/obj/c/1", "cc=max-age=60", 1),
        ]:
            for _ in range(2):
                got = await world.get(path, query)
                assert right(got, path[5], size)
            assert got.reply.outcome.hit


class TestRanges:
    async def test_a_range_of_a_cold_object_starts_there_and_the_rest_follows(self, world: World) -> None:
        part = await world.part("/obj/a/50000000", 45 * MB, 45 * MB + 1000)
        assert right(part, "a", 1000, 45 * MB)
        assert world.origin.log[0].range == "bytes=45000000-"
        await world.settled()
        whole = await world.get("/obj/a/50000000")
        assert right(whole, "a", 50 * MB)
        assert whole.reply.outcome.hit
        assert world.origin.sent("/obj/a/50000000") == 50 * MB

    async def test_a_far_range_of_a_running_download_gets_a_connection_of_its_own(self, make_world: MAKE) -> None:
        async with make_world().open() as world:
            query = "cc=max-age=60&hold=10%25&times=1"
            whole = asyncio.create_task(take(await world.ask("/obj/a/50000000", query)))
            await eventually(lambda: world.origin.requests("/obj/a/50000000") == 1)
            part = await world.part("/obj/a/50000000", 20 * MB, 21 * MB, query)
            assert right(part, "a", MB, 20 * MB)
            assert not whole.done()
            world.origin.release("/obj/a/50000000")
            assert right(await whole, "a", 50 * MB)
            assert world.origin.sent("/obj/a/50000000") <= 50 * MB + IN_FLIGHT

    async def test_a_near_range_waits_for_the_running_segment(self, world: World) -> None:
        query = "cc=max-age=60&hold=1000000"
        whole = asyncio.create_task(take(await world.ask("/obj/a/5000000", query)))
        part = asyncio.create_task(world.part("/obj/a/5000000", 4 * MB, 4 * MB + 10, query))
        await eventually(lambda: world.origin.sent("/obj/a/5000000") >= MB)
        world.origin.release("/obj/a/5000000")
        assert right(await part, "a", 10, 4 * MB)
        assert right(await whole, "a", 5 * MB)
        assert world.origin.requests("/obj/a/5000000") == 1

    async def test_many_random_ranges_send_each_byte_once(self, world: World) -> None:
        starts = [7 * MB * k % (50 * MB) for k in range(33)]
        parts = await asyncio.gather(*(world.part("/obj/a/50000000", s, s + 100_000) for s in starts))
        assert all(right(part, "a", 100_000, start) for part, start in zip(parts, starts, strict=True))
        await world.settled()
        assert world.origin.sent("/obj/a/50000000") <= 50 * MB + IN_FLIGHT

    async def test_an_origin_that_only_says_that_it_has_ranges(self, world: World) -> None:
        query = "cc=max-age=60&ranges=0&header=Accept-Ranges:bytes&hold=10%25&times=1"
        whole = asyncio.create_task(take(await world.ask("/obj/a/50000000", query)))
        await eventually(lambda: world.origin.requests("/obj/a/50000000") == 1)
        part = asyncio.create_task(world.part("/obj/a/50000000", 40 * MB, 41 * MB, query))
        await eventually(lambda: world.origin.requests("/obj/a/50000000") == 2)
        world.origin.release("/obj/a/50000000")
        assert right(await whole, "a", 50 * MB)
        assert right(await part, "a", MB, 40 * MB)

    async def test_without_validators_a_cold_range_is_handed_on_and_not_stored(self, world: World) -> None:
        reply = await world.ask("/obj/a/5000000", "cc=max-age=60&etag=none&lm=none", range="bytes=4000000-4000009")
        got = await take(reply)
        assert reply.head.status == 206
        assert right(got, "a", 10, 4 * MB)
        assert not world.blobs()

    async def test_a_range_beyond_the_end_of_a_cold_object(self, world: World) -> None:
        reply = await world.ask("/obj/a/1000", range="bytes=5000-5009")
        await reply.source.close()
        assert reply.size == 1000
        await world.settled()
        assert right(await world.get("/obj/a/1000"), "a", 1000)

    async def test_the_last_bytes_of_a_cold_object_are_asked_for_by_themselves(self, world: World) -> None:
        world.mirror = replace(world.mirror, complete_ranges=False)
        reply = await world.ask("/obj/a/100000", range="bytes=-100")
        assert right(await take(reply, 99_900, 100_000), "a", 100, 99_900)
        assert [record.range for record in world.origin.log] == ["bytes=-100"]
        assert world.origin.sent() == 100

    async def test_complete_ranges_off_fetches_what_was_asked(self, world: World) -> None:
        world.mirror = replace(world.mirror, complete_ranges=False)
        assert right(await world.part("/obj/a/50000000", 20 * MB, 21 * MB), "a", MB, 20 * MB)
        await world.settled()
        assert world.origin.sent("/obj/a/50000000") <= 2 * MB
        again = await world.part("/obj/a/50000000", 20 * MB, 21 * MB)
        assert right(again, "a", MB, 20 * MB)


class TestBrokenConnections:
    @pytest.mark.row(17, at="30 MB, cut at 20, 50 and 80 %: at most 5 % more is fetched")
    async def test_cuts_at_20_50_and_80_percent_are_not_noticed(self, world: World) -> None:
        """Seen red: after a break all is fetched again."""
        got = await world.get("/obj/a/30000000", "cc=max-age=60&cuts=20,50,80")
        assert right(got, "a", 30 * MB)
        assert world.origin.sent("/obj/a/30000000") <= 1.05 * 30 * MB

    @pytest.mark.row(17, at="3 MB, one reset")
    async def test_a_reset_is_resumed(self, world: World) -> None:
        """Seen red: a connection that breaks is not made again."""
        got = await world.get("/obj/a/3000000", "cc=max-age=60&reset=1000000&times=1")
        assert right(got, "a", 3 * MB)

    @pytest.mark.row(17, at="an upstream that knows neither ranges nor validators: compared byte by byte")
    async def test_an_origin_without_ranges_and_validators_is_compared_and_gone_on_with(self, world: World) -> None:
        got = await world.get("/obj/a/3000000", "cc=max-age=60&ranges=0&etag=none&lm=none&cut=50%25&times=1")
        assert right(got, "a", 3 * MB)

    @pytest.mark.row(5, at="another version after a cut, with and without ranges and validators")
    async def test_another_object_after_a_cut_aborts_and_stores_nothing(self, world: World) -> None:
        """Seen red: what is sent again is not compared."""
        for number, query in enumerate(["", "&ranges=0", "&ranges=0&etag=none&lm=none"]):
            path = f"/obj/s{number}/3000000"
            got = await world.get(path, f"cc=max-age=60&cut=50%25&times=1&version=2:after=1{query}")
            assert isinstance(got.broke, Changed), query
            assert len(got.body) < 3 * MB
            await world.settled()
            assert not world.blobs()
            assert not world.leftovers()
        world.origin.bump("/obj/s0/3000000")
        fresh = await world.get("/obj/s0/3000000", "cc=max-age=60&x=2")
        assert fresh.broke is None

    @pytest.mark.row(5, at="two lies: another range, another ETag")
    async def test_a_lying_206_never_becomes_a_splice(self, world: World) -> None:
        """Seen red: a range is taken wherever it begins; another ETag than the first half's is taken."""
        for lie in ("1", "etag"):
            got = await world.get(f"/obj/l{lie}/3000000", f"cc=max-age=60&cut=50%25&times=2&lie206={lie}")
            assert got.broke is not None or right(got, f"l{lie}", 3 * MB)

    @pytest.mark.row(18, at="an upstream that goes in the middle of 30 MB")
    async def test_an_origin_that_stays_away_ends_in_an_abort_and_the_next_request_resumes(
        self, make_world: MAKE
    ) -> None:
        async with make_world(fill=FillSettings(retries=1, linger=0.01)).open() as world:
            path, query = "/obj/a/30000000", "cc=max-age=60&cut=50%25&times=1"
            reply = await world.ask(path, query)
            await eventually(lambda: world.origin.sent(path) >= 15 * MB)
            world.origin.down()
            got = await take(reply)
            assert isinstance(got.broke, OriginError)
            assert len(got.body) < 30 * MB
            await world.settled()
            world.origin.up()
            assert right(await world.get(path, query), "a", 30 * MB)
            assert world.origin.sent(path) <= 1.05 * 30 * MB

    @pytest.mark.row(3, at="no last chunk")
    async def test_a_truncated_body_without_length_is_not_complete(self, world: World) -> None:
        got = await world.get("/obj/a/3000000", "cc=max-age=60&chunked=1&noterm=1&ranges=0")
        assert isinstance(got.broke, OriginError)
        assert not world.blobs()

    @pytest.mark.row(4)
    async def test_a_close_delimited_body_is_served_and_not_stored(self, world: World) -> None:
        """Seen red: a body without an end of its own is stored."""
        got = await world.get("/obj/a/3000000", "cc=max-age=60&close=1")
        assert right(got, "a", 3 * MB)
        assert not world.blobs()


class TestPauseAndResume:
    async def test_a_large_download_that_everybody_left_pauses_and_is_gone_on_with(self, world: World) -> None:
        query = "cc=max-age=60&hold=25%25&times=1"
        reply = await world.ask("/obj/a/100000000", query)
        pieces = reply.source.read(0, reply.size)
        await anext(pieces)
        await eventually(lambda: world.origin.sent("/obj/a/100000000") >= 25 * MB)
        await pieces.aclose()
        await reply.source.close()
        await world.settled()
        assert len(world.leftovers()) == 2
        assert right(await world.get("/obj/a/100000000", query), "a", 100 * MB)
        assert world.origin.sent("/obj/a/100000000") <= 1.05 * 100 * MB
        assert not world.leftovers()

    @pytest.mark.row(17, at="100 MB, the mirror itself restarted at 40 %")
    async def test_a_restart_goes_on_with_what_is_there(self, world: World) -> None:
        """Seen red: what came before a restart is thrown away."""
        query = "cc=max-age=60&hold=40%25&times=1"
        reply = await world.ask("/obj/a/100000000", query)
        await eventually(lambda: world.origin.sent("/obj/a/100000000") >= 40 * MB)
        await reply.source.close()
        await world.stop()
        await world.start()
        assert right(await world.get("/obj/a/100000000", query), "a", 100 * MB)
        assert world.origin.sent("/obj/a/100000000") <= 1.05 * 100 * MB

    async def test_a_kept_partial_of_a_changed_object_is_forgotten(self, world: World) -> None:
        query = "cc=max-age=60&hold=40%25&times=1"
        reply = await world.ask("/obj/a/100000000", query)
        await eventually(lambda: world.origin.sent("/obj/a/100000000") >= 40 * MB)
        await reply.source.close()
        await world.settled()
        assert world.leftovers()
        world.origin.bump("/obj/a/100000000")
        got = await world.get("/obj/a/100000000", query)
        assert got.broke is None
        assert got.body == bodies.body(bodies.versioned("a", 1), 0, 100 * MB)


class TestPurge:
    async def test_a_purge_during_a_download_lets_readers_finish_and_publishes_nothing(self, world: World) -> None:
        query = "cc=max-age=60&hold=40%25&times=1"
        reply = await world.ask("/obj/a/3000000", query)
        reading = asyncio.create_task(take(reply))
        await eventually(lambda: world.origin.requests("/obj/a/3000000") == 1)
        purged = await world.operations.purge(Selection(prefixes=("/o/",)))
        assert purged.in_flight == 1
        world.origin.release("/obj/a/3000000")
        assert right(await reading, "a", 3 * MB)
        assert not world.blobs()
        fresh = await world.get("/obj/a/3000000", query)
        assert fresh.outcome == "mirror; fwd=uri-miss; fwd-status=200; stored"
        assert world.origin.requests("/obj/a/3000000") == 2
