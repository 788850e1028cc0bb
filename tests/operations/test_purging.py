"""Purges by every selection: of what is stored, of what is on its way, while others store and confirm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirror.errors import RequestError, Unavailable
from mirror.httpcache.freshness import expired
from mirror.model import Entry, Mirror, Request
from mirror.operations import Operations, Selection
from mirror.operations.jobs import AT_ONCE, WAITING, Job
from mirror.operations.places import Places
from mirror.operations.selecting import Chosen
from tests.conftest import Halt, World, take
from tests.contracts.samples import entry
from tests.instruments.clock import Clock, eventually
from tests.instruments.origin import Response

MIRRORS = (Mirror("pypi", "pypi"), Mirror("npm", "npm"), Mirror("debian", "apt"), Mirror("o", "http"))


def chosen(**selection: Any) -> Chosen:
    return Chosen(Selection(**selection), Places(MIRRORS))


class TestSelections:
    @pytest.mark.parametrize(
        ("selection", "key", "meant"),
        [
            ({"urls": ("/npm/react",)}, "/npm/react full", True),
            ({"urls": ("/npm/react",)}, "/npm/react-dom full", False),
            ({"prefixes": ("/npm",)}, "/npm/react full", True),
            ({"globs": ("/debian/**/*_amd64.deb",)}, "/debian/pool/c/curl_1_amd64.deb", True),
            ({"globs": ("/npm/react",)}, "/npm/react full", True),
            ({"mirrors": ("o",)}, "/o/", True),
            ({"mirrors": ("o",)}, "/npm/o/-/o-1.tgz", False),
            ({"tags": ("npm:react",)}, "/npm/react/-/react-1.0.0.tgz", True),
            ({"tags": ("npm:react",)}, "/npm/react-dom full", False),
            ({"tags": ("apt:curl",)}, "/debian/pool/main/c/curl/curl_7_amd64.deb", True),
            ({"tags": ("pypi:six",)}, "/pypi/files/a/six-1.0.tar.gz", True),
            ({"purls": ("pkg:pypi/six@1.0",)}, "/pypi/files/a/six-1.0.tar.gz", True),
            ({"purls": ("pkg:pypi/six@1.0",)}, "/pypi/simple/six/", False),
            ({"everything": True}, "/gone/a", True),
        ],
    )
    def test_what_is_on_its_way_is_known_by_its_key(self, selection: dict[str, Any], key: str, meant: bool) -> None:
        assert chosen(**selection).key(key) is meant

    @pytest.mark.parametrize(
        ("selection", "named"),
        [
            ({"urls": ("/o/a", "/nowhere/a")}, r"urls\[1\].*nowhere"),
            ({"prefixes": ("x",)}, r"prefixes\[0\]"),
            ({"globs": ("/o/*", "/o/[a")}, r"globs\[1\].*\["),
            ({"globs": ("/nowhere/*",)}, r"globs\[0\].*nowhere"),
            ({"globs": ("o/*",)}, r"globs\[0\]"),
            ({"purls": ("pkg:npm/a", "pkg:cargo/a")}, r"purls\[1\].*cargo"),
            ({"mirrors": ("nowhere",)}, r"mirrors\[0\].*nowhere"),
            ({"tags": ("npm:a", "")}, r"tags\[1\].*empty"),
            ({"urls": ("/o/" + "a" * 5000,)}, r"urls\[0\].*4096"),
            ({}, "nothing is selected"),
        ],
    )
    def test_a_bad_value_is_named_by_field_and_number(self, selection: dict[str, Any], named: str) -> None:
        with pytest.raises(RequestError, match=named):
            chosen(**selection)


async def keys(world: World) -> list[str]:
    return [entry.key async for batch in world.index.scan() for entry in batch]


class TestWhatIsStored:
    async def test_each_entry_goes_once_however_often_it_is_named(self, world: World) -> None:
        for name in ("a", "b", "c"):
            await world.get(f"/obj/{name}/1000", "")
            await world.get(f"/obj/{name}/1000")
        everything = Selection(
            urls=("/o/obj/a/1000",),
            prefixes=("/o/obj/a", "/o/obj"),
            globs=("/o/obj/*/1000", "/o/obj/?/*"),
            mirrors=("o",),
        )
        purged = await world.operations.purge(everything, dry_run=True)
        assert (purged.matched, purged.purged) == (6, 0)
        assert purged.entries == sorted(purged.entries)
        assert len(set(purged.entries)) == 6

    async def test_a_dry_run_tells_the_bytes_that_a_purge_frees(self, world: World) -> None:
        for size in (10, 5000, 100_000):
            await world.get(f"/obj/a/{size}")
        reply = await world.ask("/obj/a/100000000", "cc=max-age=60&hold=25%25&times=1")
        await eventually(lambda: world.operations.fills()[0].there >= 25_000_000)
        await reply.source.close()
        await world.settled()
        assert world.leftovers()
        told = await world.operations.purge(Selection(globs=("/o/**",)), dry_run=True)
        assert world.leftovers()
        purged = await world.operations.purge(Selection(globs=("/o/**",)))
        assert told.bytes == purged.bytes > 1_000_000
        assert (told.matched, purged.purged) == (3, 3)
        assert not world.leftovers()
        assert not world.blobs()

    async def test_a_soft_purge_expires_what_matches_and_frees_nothing(self, world: World) -> None:
        await world.get("/obj/a/1000")
        await world.get("/obj/b/1000")
        purged = await world.operations.purge(Selection(globs=("/o/obj/a/**",)), soft=True)
        assert (purged.matched, purged.purged, purged.bytes) == (1, 1, 0)
        assert [expired(entry.head) async for batch in world.index.scan() for entry in batch] == [True, False]


class TestWhatIsOnItsWay:
    @pytest.mark.parametrize(
        "selection",
        [
            {"globs": ("/o/*/a/300**",)},
            {"mirrors": ("o",)},
            {"urls": ("/o/obj/a/3000000?cc=max-age=60&hold=40%25&times=1",)},
        ],
    )
    async def test_a_download_that_matches_is_disowned(self, world: World, selection: dict[str, Any]) -> None:
        query = "cc=max-age=60&hold=40%25&times=1"
        reading = asyncio.create_task(take(await world.ask("/obj/a/3000000", query)))
        await eventually(lambda: world.origin.sent("/obj/a/3000000") >= 1_000_000)
        assert (await world.operations.purge(Selection(**selection))).in_flight == 1
        world.origin.release("/obj/a/3000000")
        assert (await reading).broke is None
        await world.settled()
        assert not world.blobs()
        assert await keys(world) == []

    async def test_a_download_that_does_not_match_is_stored(self, world: World) -> None:
        query = "cc=max-age=60&hold=40%25&times=1"
        reading = asyncio.create_task(take(await world.ask("/obj/a/3000000", query)))
        await eventually(lambda: world.origin.sent("/obj/a/3000000") >= 1_000_000)
        assert (await world.operations.purge(Selection(globs=("/o/obj/b/**",)))).in_flight == 0
        world.origin.release("/obj/a/3000000")
        await reading
        await world.settled()
        assert len(world.blobs()) == 1

    @pytest.mark.parametrize("selection", [{"tags": ("apt:curl",)}, {"purls": ("pkg:deb/debian/curl@7",)}])
    async def test_a_download_is_known_by_its_tag_and_its_purl(self, tmp_path: Path, selection: dict[str, Any]) -> None:
        gate = asyncio.Event()

        async def held(_: Request) -> Response:
            await gate.wait()
            return Response(200, body=b"!<arch>\n" + bytes(1000))

        async with World(tmp_path, ecosystem="apt").open() as world:
            path = "/pool/main/c/curl/curl_7_amd64.deb"
            world.origin.route(path, body=held)
            getting = asyncio.create_task(world.get(path, ""))
            await eventually(lambda: world.origin.requests(path) == 1)
            assert (await world.operations.purge(Selection(**selection))).in_flight == 1
            gate.set()
            assert (await getting).body.startswith(b"!<arch>")
            await world.settled()
            assert await keys(world) == []
            await world.get(path, "")
            await world.settled()
            assert await keys(world) == [f"/o{path}"]
            assert (await world.operations.purge(Selection(**selection))).purged == 1


class TestWhatIsStoredMeanwhile:
    async def test_what_the_origin_confirmed_meanwhile_goes_too(self, world: World) -> None:
        await world.get("/obj/a/1000", "cc=max-age=60")
        [old] = [entry async for batch in world.index.scan() for entry in batch]
        world.index.halt = halt = Halt()
        purging = asyncio.create_task(world.operations.purge(Selection(mirrors=("o",))))
        await halt.reached.wait()
        world.clock.wind(100)
        assert (await world.get("/obj/a/1000", "cc=max-age=60")).reply.outcome.fwd_status == 304
        assert await world.index.get(old.key) != old
        halt.over.set()
        assert (await purging).purged == 1
        assert await keys(world) == []
        assert not world.blobs()

    async def test_what_was_fetched_anew_after_the_walk_had_looked_stays_whole(self, world: World) -> None:
        await world.get("/obj/a/1000")
        world.index.halt = halt = Halt()
        purging = asyncio.create_task(world.operations.purge(Selection(mirrors=("o",))))
        await halt.reached.wait()
        [old] = [entry async for batch in world.index.scan() for entry in batch]
        await world.index.delete(old.key)
        await world.store.delete(old.blob)
        await world.get("/obj/a/1000")  # as after an eviction
        halt.over.set()
        assert ((await purging).matched, (await purging).purged) == (1, 0)
        assert await keys(world) == [old.key]
        assert len(world.blobs()) == 1
        assert (await world.get("/obj/a/1000")).reply.outcome.hit

    async def test_a_soft_purge_brings_back_nothing_that_went_meanwhile(self, world: World) -> None:
        await world.get("/obj/a/1000")
        world.index.halt = halt = Halt()
        purging = asyncio.create_task(world.operations.purge(Selection(mirrors=("o",)), soft=True))
        await halt.reached.wait()
        await world.operations.purge(Selection(everything=True))
        halt.over.set()
        assert (await purging).purged == 0
        assert await keys(world) == []

    async def test_a_kept_partial_is_not_gone_on_with_once_the_purge_has_begun(self, world: World) -> None:
        path, query = "/obj/a/100000000", "cc=max-age=60&hold=25%25&times=1"
        reply = await world.ask(path, query)
        await eventually(lambda: world.origin.sent(path) >= 25_000_000)
        await reply.source.close()
        await world.settled()
        world.index.halt = halt = Halt()
        purging = asyncio.create_task(world.operations.purge(Selection(mirrors=("o",))))
        await halt.reached.wait()
        assert not world.leftovers()
        halt.over.set()
        await purging


@pytest.fixture
async def many(world: World) -> AsyncIterator[tuple[World, Clock]]:
    """A world with 1,203 entries and operations by a clock that each look moves on by a second."""
    for number in range(1203):
        await world.index.put(entry(f"/o/{number:04}", blob=f"{number:016x}"))
    clock = Clock(0.0)
    ports = (world.store, world.index, world.fills)
    world.operations = Operations(*ports, (world.mirror,), clock=lambda: clock.wind(1.0), around=world.around)
    yield world, clock
    await world.operations.jobs.close()


class TestJobs:
    async def test_a_long_purge_goes_on_as_a_job(self, many: tuple[World, Clock]) -> None:
        world, _ = many
        purged = await world.operations.purge(Selection(everything=True))
        assert purged.job is not None
        assert 0 < purged.purged < 1203
        so_far = purged.purged
        job = world.operations.jobs.get(purged.job)
        await eventually(lambda: job.ended is not None)
        assert (job.state, job.done) == ("done", 1203)
        assert job.result is not None
        assert (job.result["purged"], len(job.result["entries"])) == (1203, 100)
        assert purged.purged == so_far
        assert await keys(world) == []

    async def test_a_dry_run_and_a_soft_purge_do_too(self, many: tuple[World, Clock]) -> None:
        world, _ = many
        for options in ({"dry_run": True}, {"soft": True}):
            purged = await world.operations.purge(Selection(mirrors=("o",)), **options)
            job = world.operations.jobs.get(purged.job or "")
            await eventually(lambda job=job: job.ended is not None)
            assert job.done == 1203
        assert all(expired(entry.head) for entry in [e async for batch in world.index.scan() for e in batch])

    async def test_a_stopped_purge_leaves_no_entry_half_done(self, many: tuple[World, Clock]) -> None:
        world, _ = many
        deleting, let = asyncio.Event(), asyncio.Event()
        delete, gone = world.store.delete, []

        async def slow(blob: str) -> int:
            deleting.set()
            await let.wait()
            gone.append(blob)
            return await delete(blob)

        jobs = world.operations.jobs
        purged = await world.operations.purge(Selection(everything=True))
        world.store.delete = slow  # type: ignore[method-assign]
        await deleting.wait()
        stopping = asyncio.create_task(jobs.stop(purged.job or ""))
        await asyncio.sleep(0)
        let.set()
        job = await stopping
        assert job.state == "stopped"
        left = await keys(world)
        assert 0 < len(left) < 1203
        assert gone  # what was begun came to its end
        assert len(left) + purged.purged + len(gone) == 1203

    async def test_with_too_many_jobs_it_says_how_far_it_came(self, many: tuple[World, Clock]) -> None:
        world, _ = many
        halt = Halt()

        async def waits(_job: Job) -> dict[str, Any]:
            await halt()
            return {}

        for _ in range(AT_ONCE + WAITING):
            world.operations.jobs.start("warm", waits)
        with pytest.raises(Unavailable, match="entries are done"):
            await world.operations.purge(Selection(everything=True))


async def test_an_entry_is_meant_by_the_tag_that_it_has(world: World) -> None:
    tagged: Entry = replace(entry("/o/a"), tags=("http:x",))
    await world.index.put(tagged)
    await world.index.put(entry("/o/b", blob="01"))
    assert (await world.operations.purge(Selection(tags=("http:x",)))).entries == ["/o/a"]
