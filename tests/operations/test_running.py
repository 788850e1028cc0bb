"""What an operator sees of running downloads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from mirror.operations.running import Looks
from mirror.operations.shown import server, shown
from mirror.settings import FillSettings
from tests.conftest import World, take
from tests.instruments.clock import Clock, eventually

HELD = "cc=max-age=60&hold=50%25&times=1"


async def test_a_download_shows_how_far_it_is_and_who_reads_it(world: World) -> None:
    path = "/obj/a/3000000"
    readers = [asyncio.create_task(take(await world.ask(path, HELD))) for _ in range(3)]
    await eventually(lambda: world.operations.fills()[0].there >= 1_500_000)
    (one,) = world.operations.fills()
    assert (one.key, one.mirror, one.url) == (f"/o{path}?{HELD}", "o", world.origin.url(f"{path}?{HELD}"))
    assert (one.there, one.total, one.readers, one.segments) == (1_500_000, 3_000_000, 3, 1)
    assert (one.stored, one.state) == (True, "running")
    world.origin.release(path)
    await asyncio.gather(*readers)
    await world.settled()
    assert world.operations.fills() == []


async def test_a_download_whose_origin_has_not_answered_is_opening(world: World) -> None:
    asking = asyncio.create_task(world.get("/obj/a/1000", "wait=0.2&cc=max-age=60"))
    await eventually(lambda: world.operations.fills())
    (one,) = world.operations.fills()
    assert (one.state, one.there, one.total, one.segments, one.rate) == ("opening", 0, None, 0, 0.0)
    await asking


async def test_the_rate_is_of_the_bytes_between_looks(world: World) -> None:
    path = "/obj/a/3000000"
    reading = asyncio.create_task(take(await world.ask(path, HELD)))
    fill = world.fills.running()[0]
    clock = Clock(fill.started + 0.5)
    looks = Looks(world.fills, clock)
    await eventually(lambda: looks.fills()[0].there >= 1_500_000)
    assert looks.fills()[0].rate == 3_000_000  # since it began: the looks were less than a second apart
    clock.wind(1.0)
    assert looks.fills()[0].rate == 1_000_000
    clock.wind(0.5)
    assert looks.fills()[0].rate == 1_000_000  # too soon for another
    clock.wind(1.0)
    assert looks.fills()[0].rate == 0.0  # it is held: nothing came since
    world.origin.release(path)
    await reading


async def test_what_was_here_before_does_not_count_as_fast(make_world: Callable[..., World]) -> None:
    async with make_world(fill=FillSettings(linger=0.01, finish=1000)).open() as world:
        path, query = "/obj/a/3000000", "cc=max-age=60&hold=30%25"
        reply = await world.ask(path, query)
        await eventually(lambda: world.operations.fills()[0].there >= 900_000)
        await reply.source.close()
        await world.settled()  # nobody reads: it pauses
        again = await world.ask(path, query)
        await eventually(lambda: world.operations.fills()[0].there > 900_000)
        fill = world.fills.running()[0]
        (one,) = Looks(world.fills, lambda: fill.started + 0.5).fills()
        assert one.rate == (one.there - 900_000) / 0.5
        await again.source.close()


async def test_what_may_not_be_stored_says_so(world: World) -> None:
    path = "/obj/a/3000000"
    reading = asyncio.create_task(take(await world.ask(path, "cc=no-store&hold=50%25&times=1")))
    await eventually(lambda: world.operations.fills()[0].there >= 1_000_000)
    assert world.operations.fills()[0].stored is False
    world.origin.release(path)
    await reading


async def test_a_purged_download_is_not_stored(world: World) -> None:
    path = "/obj/a/3000000"
    reading = asyncio.create_task(take(await world.ask(path, HELD)))
    world.fills.disown(lambda _key: True)
    assert world.operations.fills()[0].stored is False
    world.origin.release(path)
    await reading


def test_urls_are_shown_without_what_gives_access() -> None:
    assert shown("https://user:secret@upstream.test:81/a/b?sig=secret#x") == "https://upstream.test:81/a/b?..."
    assert shown("https://upstream.test/a?page=2", "/o/a?page=2") == "https://upstream.test/a?page=2"
    assert shown("https://upstream.test/a") == "https://upstream.test/a"
    assert shown("http://[broken") == "..."


def test_a_server_is_named_as_the_client_for_origins_names_it() -> None:
    assert server("https://User:secret@UPSTREAM.test:443/a") == "https://upstream.test"
    assert server("http://upstream.test:8080") == "http://upstream.test:8080"
    assert server("http://[::1]:80/a") == "http://[::1]"
    assert server("http://upstream.test:none/") == ""


async def test_an_upstream_that_was_asked_is_known_by_its_name_in_the_configuration(world: World) -> None:
    before = world.operations.upstreams()
    await world.get("/obj/a/1000")
    (after,) = world.operations.upstreams()
    assert [known.name for known in before] == [after.name] == [world.origin.url("").rstrip("/")]
    assert (after.mirrors, after.state, after.resting) == (("o",), "up", 0.0)


async def test_an_upstream_that_cannot_be_reached_is_down(world: World) -> None:
    world.origin.down()
    for n in range(5):
        assert (await asyncio.gather(world.get(f"/obj/{n}/1000"), return_exceptions=True))[0]
    (known,) = world.operations.upstreams()
    assert known.state == "down"
    assert known.resting > 0
    assert known.error
    assert known.error_at is not None


async def test_no_secret_of_the_configuration_is_in_what_is_told(world: World) -> None:
    world.mirror = replace(world.mirror, auth=("authorization", "Bearer hidden"))
    asking = asyncio.create_task(world.get("/obj/a/1000", "wait=0.1&cc=max-age=60"))
    await eventually(lambda: world.operations.fills())
    assert "hidden" not in str(world.operations.fills())
    await asking
