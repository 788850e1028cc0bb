"""A release of an APT archive and the indexes that it names: clients get them together, whatever is published when."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from mirror import generations
from mirror.errors import NotAdopted
from mirror.model import Request
from mirror.operations import Selection
from tests.conftest import World
from tests.instruments.clock import eventually
from tests.instruments.origin import Response
from tests.instruments.suite import PACKAGES, SOURCES, SUITE, Archive, by_hash

Make = Callable[..., World]


@pytest.fixture
async def archive(make_world: Make) -> AsyncIterator[Archive]:
    async with make_world(ecosystem="apt").open() as world:
        world.mirror = replace(world.mirror, ttl=10.0, grace=86400.0, keep=86400.0)
        yield Archive(world)


@pytest.fixture
async def plain(make_world: Make) -> AsyncIterator[Archive]:
    """An archive without by-hash."""
    async with make_world(ecosystem="apt").open() as world:
        world.mirror = replace(world.mirror, ttl=10.0, grace=86400.0, keep=86400.0)
        yield Archive(world, hashed=False)


async def test_a_new_release_comes_with_the_indexes_that_clients_used(archive: Archive) -> None:
    assert await archive.update() == (archive.signed(), archive.index())
    archive.publish()
    archive.world.clock.wind(11)
    assert (await archive.get(f"{SUITE}/InRelease")).body == archive.signed()
    asked = archive.world.origin.requests()
    assert (await archive.get(PACKAGES)).body == archive.index()
    assert (await archive.get(by_hash(PACKAGES, archive.index()))).body == archive.index()
    assert archive.world.origin.requests() == asked  # both came before the release was served
    assert archive.world.origin.requests(by_hash(SOURCES, archive.index(SOURCES))) == 0  # nobody has used it


async def test_a_release_without_its_indexes_is_not_served_yet(archive: Archive) -> None:
    before = await archive.update()
    archive.publish(indexes=False)
    archive.world.clock.wind(11)
    assert await archive.update() == before
    archive.world.clock.wind(generations.PAUSE + 1)
    assert await archive.update() == before
    archive.number -= 1
    archive.publish()
    archive.world.clock.wind(generations.PAUSE + 1)
    assert await archive.update() == (archive.signed(), archive.index())


async def test_a_refused_release_is_not_asked_for_all_the_time(archive: Archive) -> None:
    await archive.update()
    archive.publish(indexes=False)
    archive.world.clock.wind(11)
    await archive.update()
    asked = archive.world.origin.requests(f"{SUITE}/InRelease")
    for _ in range(5):
        await archive.update()
    assert archive.world.origin.requests(f"{SUITE}/InRelease") == asked


async def test_an_index_that_never_comes_does_not_hold_a_release_for_ever(archive: Archive) -> None:
    await archive.update()
    archive.publish(indexes=False)
    for _ in range(2):
        archive.world.clock.wind(generations.INCOMPLETE_FOR / 2)
        assert (await archive.get(f"{SUITE}/InRelease")).body != archive.signed()
    archive.world.clock.wind(generations.INCOMPLETE_FOR / 2 + 1)
    assert (await archive.get(f"{SUITE}/InRelease")).body == archive.signed()


async def test_indexes_without_their_release_change_nothing(archive: Archive) -> None:
    before = await archive.update()
    archive.publish(release=False)
    archive.world.clock.wind(11)
    assert await archive.update() == before


async def test_without_by_hash_the_plain_names_are_those_of_the_release(plain: Archive) -> None:
    before = await plain.update()
    plain.publish(release=False)
    plain.world.clock.wind(11)
    assert await plain.update() == before
    plain.number -= 1
    plain.publish()
    plain.world.clock.wind(11)
    assert await plain.update() == (plain.signed(), plain.index()) != before


async def test_a_client_gets_the_indexes_of_the_release_that_it_was_given(plain: Archive) -> None:
    old = await plain.update(client="192.0.2.1")
    plain.publish()
    plain.world.clock.wind(11)
    new = await plain.update(client="192.0.2.2")
    assert new != old
    assert (await plain.get(PACKAGES, "192.0.2.1")).body == old[1]
    assert (await plain.get(PACKAGES, "192.0.2.2")).body == new[1]
    assert (await plain.get(PACKAGES, "192.0.2.3")).body == new[1]


async def test_older_generations_stay_by_hash(archive: Archive) -> None:
    indexes = []
    for _ in range(4):
        await archive.update()
        indexes.append(archive.index())
        archive.world.origin.route(by_hash(PACKAGES, archive.index()), 404)
        archive.publish()
        archive.world.clock.wind(11)
    for body in indexes:
        assert (await archive.get(by_hash(PACKAGES, body))).body == body


async def test_what_is_gone_by_hash_is_found_under_its_name(archive: Archive) -> None:
    await archive.get(f"{SUITE}/InRelease")
    archive.world.origin.route(by_hash(PACKAGES, archive.index()), 404)
    assert (await archive.get(by_hash(PACKAGES, archive.index()))).body == archive.index()
    assert (await archive.get(by_hash(PACKAGES, archive.index()))).reply.outcome.hit


async def test_an_older_release_is_refused(archive: Archive) -> None:
    archive.publish()
    now = await archive.update()
    archive.world.origin.route(f"{SUITE}/InRelease", body=archive.signed(1))
    archive.world.clock.wind(11)
    assert await archive.update() == now


async def test_a_purge_lets_an_older_release_in(archive: Archive) -> None:
    archive.publish()
    await archive.update()
    archive.world.origin.route(f"{SUITE}/InRelease", body=archive.signed(1))
    await archive.world.operations.purge(Selection(prefixes=("/o/dists/stable/InRelease",)))
    assert (await archive.get(f"{SUITE}/InRelease")).body == archive.signed(1)


async def test_clients_need_not_wait_for_a_slow_new_release(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "PATIENCE", 0.0)
    before = await archive.update()
    archive.publish()
    gate = asyncio.Event()

    async def slow(_: Request) -> Response:
        await gate.wait()
        return Response(200, (), archive.index())

    archive.world.origin.route(by_hash(PACKAGES, archive.index()), body=slow)
    archive.world.clock.wind(11)
    assert await archive.update() == before
    gate.set()
    await archive.world.settled()
    assert await archive.update() == (archive.signed(), archive.index())


async def test_nobody_gets_a_byte_of_a_release_that_is_refused(archive: Archive) -> None:
    archive.world.mirror = replace(archive.world.mirror, keyring="/nowhere/keys.gpg")
    with pytest.raises(NotAdopted, match="cannot be read"):
        await archive.get(f"{SUITE}/InRelease")
    assert not archive.world.blobs()


async def test_after_a_restart_the_same_release_is_served_with_its_indexes(plain: Archive) -> None:
    before = await plain.update()
    await plain.world.stop()
    index = plain.world.index
    await plain.world.start()
    plain.world.mirror = replace(plain.world.mirror, ttl=10.0, grace=86400.0, keep=86400.0)
    for batch in [batch async for batch in index.scan()]:
        for entry in batch:
            await plain.world.index.put(entry)
    plain.publish(release=False)
    assert await plain.update() == before


async def test_many_clients_during_many_publications_never_get_what_does_not_fit(archive: Archive) -> None:
    async def client(at: int) -> None:
        for _ in range(10):
            release, index = await archive.update(client=f"192.0.2.{at}")
            assert hashlib.sha256(index).hexdigest().encode() in release

    async def publisher() -> None:
        for _ in range(20):
            archive.world.clock.wind(11)
            archive.publish()
            await asyncio.sleep(0)

    await asyncio.gather(publisher(), *(client(at) for at in range(10)))
    archive.world.clock.wind(generations.PAUSE + 11)
    await eventually(lambda: not archive.world.fills.running())
    assert (await archive.get(f"{SUITE}/InRelease")).body == archive.signed()
