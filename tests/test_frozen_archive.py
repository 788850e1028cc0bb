"""Frozen time of an APT archive: the release that this mirror gave to clients then, and the indexes that it names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from mirror import frozen
from mirror.errors import NotFound
from mirror.model import Headers, Request
from mirror.operations import Operations, Selection
from tests.conftest import World, take
from tests.instruments.gated import DAY, written
from tests.instruments.suite import PACKAGES, SUITE, Archive, by_hash, configure

Make = Callable[..., World]
INRELEASE = f"{SUITE}/InRelease"
POOL = "/pool/main/s/six/six_1.0_amd64.deb"
DEB = b"!<arch>\nsix"


@pytest.fixture
async def archive(make_world: Make) -> AsyncIterator[Archive]:
    async with make_world(ecosystem="apt").open() as world:
        configure(world, snapshots=30 * DAY)
        yield Archive(world)


@pytest.fixture
async def plain(make_world: Make) -> AsyncIterator[Archive]:
    """An archive without by-hash."""
    async with make_world(ecosystem="apt").open() as world:
        configure(world, snapshots=30 * DAY)
        yield Archive(world, hashed=False)


def now(archive: Archive) -> str:
    """The instant, as it is written in an address."""
    return written(archive.world.clock())[:19] + "Z"


async def keys(archive: Archive) -> list[str]:
    """What stands in the index beside the release."""
    return [entry.key async for batch in archive.world.index.scan(f"/o{INRELEASE}@") for entry in batch]


async def past(archive: Archive, text: str, *paths: str) -> tuple[bytes, ...]:
    """What the mirror as of then has at these paths."""
    world = archive.world
    variant = frozen.as_of(world.mirror, text, world.clock())
    found = []
    for path in paths:
        request = Request("GET", path, "", Headers(), f"http://m.test/o@{text}", "192.0.2.1")
        got = await take(await world.engine.answer(variant, request))
        assert (got.broke, got.reply.head.status) == (None, 200)
        found.append(got.body)
    return tuple(found)


async def published(archive: Archive) -> tuple[str, bytes, bytes]:
    """One more generation, which a client gets: when that was, its release and its index. Ten days pass."""
    archive.publish()
    archive.world.clock.wind(20)
    release, index = await archive.update()
    assert release == archive.signed()
    when = now(archive)
    archive.world.clock.wind(10 * DAY)
    return when, release, index


async def test_each_day_has_the_release_of_that_day_and_its_indexes(archive: Archive) -> None:
    generations = [await published(archive) for _ in range(3)]
    for when, release, index in generations:
        assert await past(archive, when, INRELEASE, by_hash(PACKAGES, index), PACKAGES) == (release, index, index)
        day = written(archive.world.clock())[:10]
    assert await past(archive, day, INRELEASE) == (release,)


async def test_it_needs_nothing_of_the_archive(archive: Archive) -> None:
    (when, release, index), _ = await published(archive), await published(archive)
    archive.world.origin.route(by_hash(PACKAGES, index), 404)
    asked = archive.world.origin.requests()
    assert await past(archive, when, INRELEASE, by_hash(PACKAGES, index)) == (release, index)
    assert archive.world.origin.requests() == asked


async def test_without_by_hash_the_plain_names_are_those_of_then(plain: Archive) -> None:
    first, second = await published(plain), await published(plain)
    assert await past(plain, first[0], INRELEASE, PACKAGES) == first[1:]
    assert await past(plain, second[0], INRELEASE, PACKAGES) == second[1:] != first[1:]
    with pytest.raises(NotFound, match="not named by"):
        await past(plain, first[0], f"{SUITE}/main/binary-arm64/Packages")


async def test_what_a_client_was_given_as_of_a_day_is_not_what_it_gets_as_of_now(plain: Archive) -> None:
    first, second = await published(plain), await published(plain)
    assert await plain.update() == second[1:]
    await past(plain, first[0], INRELEASE)
    assert (await plain.get(PACKAGES)).body == second[2]


async def test_a_release_and_its_signature_are_of_one_time(archive: Archive) -> None:
    pairs = []
    for number in range(1, 4):
        archive.world.origin.route(f"{SUITE}/Release", body=archive.release(number))
        archive.world.origin.route(f"{SUITE}/Release.gpg", body=b"signature %d" % number)
        archive.world.clock.wind(20)
        paths = (f"{SUITE}/Release", f"{SUITE}/Release.gpg")
        pairs.append((now(archive), tuple([(await archive.get(path)).body for path in paths])))
        archive.world.clock.wind(DAY)
    for when, pair in pairs:
        assert await past(archive, when, *paths) == pair
    with pytest.raises(NotFound):
        await past(archive, now(archive), f"{SUITE}/InRelease.gpg")


async def test_before_the_first_one_there_is_none_and_that_says_since_when_there_is(archive: Archive) -> None:
    before = now(archive)
    archive.world.clock.wind(DAY)
    with pytest.raises(NotFound, match="none is kept"):
        await past(archive, before, INRELEASE)
    when, *_ = await published(archive)
    with pytest.raises(NotFound, match=rf"the first one that is kept is of {when[:10]} .*as of {before}"):
        await past(archive, before, INRELEASE)


async def test_a_release_that_was_replaced_long_ago_goes(archive: Archive) -> None:
    generations = [await published(archive) for _ in range(6)]  # ten days each
    with pytest.raises(NotFound):
        await past(archive, generations[0][0], INRELEASE)
    for when, release, _ in generations[2:]:
        assert await past(archive, when, INRELEASE) == (release,)
    assert len(await keys(archive)) == 4
    assert len(archive.world.blobs()) == len(archive.world.index._entries)  # their bytes have gone with them


async def test_one_that_does_not_change_is_kept_once_and_for_long(archive: Archive) -> None:
    when, release, _ = await published(archive)
    for _ in range(12):
        archive.world.clock.wind(10 * DAY)
        await archive.update()
    assert await past(archive, when, INRELEASE) == await past(archive, now(archive), INRELEASE) == (release,)
    assert len(await keys(archive)) == 1


async def test_after_a_restart_they_are_there(archive: Archive) -> None:
    first, _ = await published(archive), await published(archive)
    entries, mirror = dict(archive.world.index._entries), archive.world.mirror
    await archive.world.stop()
    await archive.world.start()
    archive.world.mirror = mirror
    archive.world.index._entries.update(entries)
    assert await past(archive, first[0], INRELEASE) == (first[1],)
    await archive.update()
    assert len(await keys(archive)) == 2


async def test_a_purge_of_the_release_leaves_those_of_the_past_and_one_of_all_starts_anew(archive: Archive) -> None:
    when, release, _ = await published(archive)
    world = archive.world
    operations = Operations(world.store, world.index, world.fills, (world.mirror,), around=world.around)
    await operations.purge(Selection(urls=(f"/o{INRELEASE}",)))
    assert await past(archive, when, INRELEASE) == (release,)
    await operations.purge(Selection(prefixes=("/o/",)))
    with pytest.raises(NotFound):
        await past(archive, when, INRELEASE)
    await archive.update()
    assert await past(archive, now(archive), INRELEASE) == (release,)


async def test_what_a_client_asks_for_is_never_taken_for_a_release_that_was_kept(archive: Archive) -> None:
    when, release, _ = await published(archive)
    (kept,) = await keys(archive)
    for path in (f"{INRELEASE}@{written(archive.world.clock())}", kept.removeprefix("/o").partition(" ")[0]):
        assert (await archive.get(path)).reply.head.status == 404
        assert await past(archive, now(archive), INRELEASE) == await past(archive, when, INRELEASE) == (release,)
    assert len(await keys(archive)) == 3


async def test_explain_says_what_is_done(archive: Archive) -> None:
    (when, *_), _ = await published(archive), await published(archive)
    world = archive.world
    operations = Operations(world.store, world.index, world.fills, (world.mirror,), around=world.around)
    found = await operations.explain(f"/o@{when}{INRELEASE}")
    assert (found.decision, found.error) == ("hit", None)
    assert "newest one that this mirror gave to clients by then" in found.reason
    assert f"{INRELEASE}@" in found.key
    assert (await operations.explain(f"/o@2026-01-01{INRELEASE}")).error is not None


async def test_a_package_of_then_stays_though_the_archive_has_it_no_more(archive: Archive) -> None:
    when, *_ = await published(archive)
    archive.world.origin.route(POOL, body=DEB)
    assert (await archive.get(POOL)).body == DEB
    archive.world.origin.route(POOL, 404)
    archive.world.clock.wind(10 * DAY)
    assert await past(archive, when, POOL) == (DEB,)


async def test_nothing_is_kept_where_that_is_not_wanted(archive: Archive) -> None:
    archive.world.mirror = replace(archive.world.mirror, snapshots=0.0)
    when, *_ = await published(archive)
    assert await keys(archive) == []
    with pytest.raises(NotFound, match='snapshots = "30d"'):
        await past(archive, when, INRELEASE)
