"""Warm and refresh: bodies are stored before clients ask, and upstreams asked again, four at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.evict import Limits
from mirror.operations import Operations
from mirror.operations.jobs import Job
from mirror.operations.warming import AT_ONCE
from tests.conftest import World
from tests.instruments.both import documents
from tests.instruments.clock import eventually
from tests.instruments.suite import PACKAGES, SUITE, Archive
from tests.operations.test_explaining import House

FRESH = "cc=max-age=60"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with World(tmp_path / "cache").open() as world:
        house = House(world)
        world.operations = house.operations
        yield house
        await world.operations.jobs.close()


async def ended(job: Job) -> Job:
    await eventually(lambda: job.state != "running")
    return job


async def test_what_was_warmed_is_a_hit(house: House) -> None:
    urls = [f"/o/obj/{n}/100000?{FRESH}" for n in range(10)]
    job = await ended(house.world.operations.warm(urls))
    assert (job.kind, job.state, job.done, job.total, job.failed) == ("warm", "done", 10, 10, 0)
    assert job.bytes == 10 * 100_000
    assert job.result == {"fetched": 10, "unchanged": 0, "there": 0}
    asked = house.world.origin.requests()
    assert [await house.ask(url) for url in urls] == [("HIT", "")] * 10
    assert house.world.origin.requests() == asked


async def test_what_is_there_is_not_fetched_again_and_counts(house: House) -> None:
    url = f"/o/obj/a/100000?{FRESH}"
    await house.ask(url)
    job = await ended(house.world.operations.warm([url, url]))
    assert (job.total, job.bytes, job.result) == (1, 100_000, {"fetched": 0, "unchanged": 0, "there": 1})
    assert house.world.origin.requests() == 1


async def test_an_index_is_asked_for_as_the_usual_client_does(house: House) -> None:
    world = house.world
    urls = [world.origin.url("/npm/thing"), "/npm/thing/-/thing-1.0.0.tgz", "/pypi/simple/Thing"]
    job = await ended(world.operations.warm(urls))
    assert (job.failed, job.failures) == (0, [])
    assert await world.index.get("/npm/thing abbrev")
    assert await world.index.get("/npm/thing/-/thing-1.0.0.tgz")
    assert await world.index.get("/pypi/simple/thing/")  # by its canonical name
    assert not await world.index.get("/npm/thing full")


async def test_no_more_than_four_are_asked_for_at_a_time(house: House) -> None:
    world = house.world
    world.origin.forget()
    job = world.operations.warm([f"/o/obj/{n}/1000?{FRESH}&wait=0.05" for n in range(12)])
    await ended(job)
    assert job.failed == 0
    assert world.origin.peak == AT_ONCE


async def test_each_failure_is_named_with_its_reason(house: House) -> None:
    world = house.world
    urls = [
        "/nowhere/x", "https://example.com/x", "/pypi/elsewhere", f"/o/obj/a/1000?{FRESH}&status=404",
        f"/o/obj/b/1000?{FRESH}&cut=50%25", "/o/obj/c/1000?cc=no-store", f"/o/obj/d/1000?{FRESH}",
        "/pypi/files/files/none-1.zip",
    ]  # fmt: skip
    job = await ended(world.operations.warm(urls))
    reasons = dict(job.failures)
    assert (job.state, job.done, job.failed) == ("done", 8, 7)
    assert "neither below a mirror" in reasons[urls[0]]
    assert "neither below a mirror" in reasons[urls[1]]
    assert "nothing at /elsewhere" in reasons[urls[2]]
    assert reasons[urls[3]] == "the answer is 404"
    assert reasons[urls[4]]
    assert "may not be stored" in reasons[urls[5]]
    assert "no index page" in reasons[urls[7]]
    assert job.result == {"fetched": 1, "unchanged": 0, "there": 0}


async def test_a_job_that_is_stopped_leaves_nothing_behind(house: House) -> None:
    world = house.world
    job = world.operations.warm([f"/o/obj/{n}/3000000?{FRESH}&hold=50%25" for n in range(20)])
    await eventually(lambda: len(world.operations.fills()) == AT_ONCE)
    await world.operations.jobs.stop(job.id)
    assert (job.state, job.done) == ("stopped", 0)
    assert [fill.readers for fill in world.operations.fills()] == [0] * AT_ONCE


async def test_a_refresh_asks_the_upstream_for_what_is_fresh(house: House) -> None:
    world = house.world
    urls = [f"/o/obj/a/1000?{FRESH}", "/pypi/simple/thing/", "/npm/thing"]
    for url in urls:
        await house.ask(url)
    asked = [world.origin.requests(path) for path in ("/obj/a/1000", "/simple/thing/", "/npm/thing")]
    job = await ended(world.operations.refresh(urls))  # at once: sooner than any client may cause it
    again = [world.origin.requests(path) for path in ("/obj/a/1000", "/simple/thing/", "/npm/thing")]
    assert (job.kind, job.failed) == ("refresh", 0)
    assert again == [n + 1 for n in asked]
    assert job.result == {"fetched": 2, "unchanged": 1, "there": 0}  # those documents have no validators


async def test_a_refresh_brings_what_has_changed(house: House) -> None:
    world, url = house.world, f"/o/obj/a/1000?{FRESH}"
    await house.ask(url)
    before = await world.index.get(url)
    world.origin.bump("/obj/a/1000")
    job = await ended(world.operations.refresh([url]))
    after = await world.index.get(url)
    assert job.result == {"fetched": 1, "unchanged": 0, "there": 0}
    assert before is not None
    assert after is not None
    assert after.digest != before.digest
    assert await house.ask(url) == ("HIT", "")


async def test_what_is_stored_stays_where_the_upstream_fails(house: House) -> None:
    world, url = house.world, f"/kept/obj/a/1000?{FRESH}"
    await house.ask(url)
    before = await world.index.get(url)
    world.origin.down()
    job = await ended(world.operations.refresh([url]))
    assert job.failed == 1
    assert "what is stored stays: 127.0.0.1" in job.failures[0][1]
    assert await world.index.get(url) == before
    assert await house.ask(url) == ("HIT", "")


async def test_what_never_changes_is_not_asked_for(house: House) -> None:
    world, url = house.world, "/npm/thing/-/thing-1.0.0.tgz"
    await house.ask(url)
    asked = world.origin.requests()
    job = await ended(world.operations.refresh([url]))
    assert job.result == {"fetched": 0, "unchanged": 0, "there": 1}
    assert world.origin.requests() == asked


async def test_a_mirror_that_stays_offline_says_so(house: House) -> None:
    url = f"/o/obj/a/1000?{FRESH}"
    await house.ask(url)
    house.change("o", offline=True)
    house.world.operations = house.operations
    assert (await ended(house.world.operations.refresh([url]))).failures == [
        (url, "this mirror is set to stay offline")
    ]
    assert (await ended(house.world.operations.warm([url]))).failed == 0


async def test_a_release_that_was_refused_is_looked_at_again(make_world: Callable[..., World]) -> None:
    async with make_world(ecosystem="apt").open() as world:
        world.mirror = replace(world.mirror, ttl=10.0, grace=0.0, keep=86400.0)
        ports = (world.store, world.index, world.fills)
        operations = Operations(*ports, (world.mirror,), around=world.around)
        archive, release = Archive(world), f"/o{SUITE}/InRelease"
        await archive.update()
        archive.publish(indexes=False)
        world.clock.wind(11)
        await archive.update()  # refused
        archive.number -= 1
        archive.publish()
        job = await ended(operations.refresh([release, f"/o{PACKAGES}"]))
        assert (job.failed, job.failures) == (0, [])
        assert await archive.update() == (archive.signed(), archive.index())
        await operations.jobs.close()


async def test_a_full_cache_is_told(make_world: Callable[..., World]) -> None:
    async with make_world(limits=Limits(1 << 40, max_object=10_000)).open() as world:
        documents(world.origin)
        job = await ended(world.operations.warm([f"/o/obj/a/100000?{FRESH}"]))
        assert job.failed == 1
        assert "stored" in job.failures[0][1]
        await world.operations.jobs.close()


async def test_nothing_is_left_running(house: House) -> None:
    await ended(house.world.operations.warm([f"/o/obj/{n}/1000?{FRESH}" for n in range(3)]))
    await house.world.settled()
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]
    assert not [name for name in names if "Warming" in name or "Jobs" in name]
