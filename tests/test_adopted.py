"""What a release names, once it is adopted: indexes that are gone, forbidden, old, or none; and what HEAD tells."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from mirror import generations
from mirror.errors import MirrorError, NotAdopted
from mirror.model import Headers, Request
from tests.conftest import World, take
from tests.instruments.suite import PACKAGES, SUITE, Archive, by_hash, configure, trust

INRELEASE = f"{SUITE}/InRelease"
BIG = b"Description: " + b"x" * (6 << 20) + b"\n"


@pytest.fixture
async def archive(make_world: Callable[..., World]) -> AsyncIterator[Archive]:
    async with make_world(ecosystem="apt").open() as world:
        configure(world)
        yield Archive(world)


async def test_head_of_an_index_that_is_gone_by_hash(archive: Archive) -> None:
    await archive.get(INRELEASE)
    archive.world.origin.route(by_hash(PACKAGES, archive.index()), 404)
    reply = await archive.world.engine.answer(archive.world.mirror, Request("HEAD", PACKAGES))
    assert (await take(reply)).reply.head.status == 200
    assert reply.size == len(archive.index())


async def test_an_index_that_the_origin_forbids_does_not_hold_a_release_for_ever(archive: Archive) -> None:
    """Stores of objects say 403 of what they do not have, to those who may not list them."""
    await archive.update()
    archive.publish(indexes=False)
    archive.world.origin.route(by_hash(PACKAGES, archive.index()), 403)
    for _ in range(2):
        archive.world.clock.wind(generations.INCOMPLETE_FOR / 2 + 1)
        await archive.get(INRELEASE)
    archive.world.clock.wind(generations.INCOMPLETE_FOR / 2 + 1)
    assert (await archive.get(INRELEASE)).body == archive.signed()


async def test_a_release_that_vanished_is_not_passed_through(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """1. It is adopted. 2. It is purged. 3. Who waited for it looks for its bytes."""
    trust(archive, b"Date")
    world = archive.world
    stored = world.fills.stored

    async def purged(asked: Any, entry: Any) -> None:
        await stored(asked, entry)
        await world.index.delete(entry.key)
        await world.store.delete(entry.blob)
        world.origin.route(INRELEASE, body=b"-----BEGIN PGP SIGNED MESSAGE-----\nbad")

    monkeypatch.setattr(world.fills, "stored", purged)
    with pytest.raises(MirrorError):
        await archive.get(INRELEASE)


async def test_after_a_restart_the_facts_of_the_newest_release_are_not_the_first_to_go(archive: Archive) -> None:
    for _ in range(4):
        await archive.update()
        archive.publish()
        archive.world.clock.wind(11)
    await archive.update()  # the fifth took the first one's place
    facts, index = archive.world.facts, archive.world.index
    await archive.world.stop()
    await archive.world.start()
    configure(archive.world)
    archive.world.engine._lookups._facts = archive.world.engine._lookups._releases._facts = facts
    for batch in [batch async for batch in index.scan()]:
        for entry in batch:
            await archive.world.index.put(entry)
    archive.publish()
    archive.world.clock.wind(11)
    await archive.update()
    kept = [await facts.source("o", f"{INRELEASE}@{at}") for at in range(4)]
    assert set(kept) == {hashlib.sha256(archive.signed(number)).hexdigest() for number in range(3, 7)}


async def test_head_tells_of_adopted_releases_only(archive: Archive) -> None:
    async def head() -> tuple[int | None, str | None]:
        fields = Headers.of({"cache-control": "max-age=0"})
        reply = await archive.world.engine.answer(archive.world.mirror, Request("HEAD", INRELEASE, headers=fields))
        await reply.source.close()
        return reply.size, reply.head.headers.get("etag")

    keys = trust(archive, b"nothing")
    with pytest.raises(NotAdopted):
        await head()
    keys.trusted = b"Date"
    await archive.update()
    before = await head()
    archive.publish(indexes=False)
    archive.world.clock.wind(11)
    assert await head() == before


@pytest.mark.parametrize("body", [b"", b"Origin: x\n", b"Date: yesterday\n"])
async def test_a_release_that_says_not_when_it_was_made_replaces_none_that_does(archive: Archive, body: bytes) -> None:
    """A Release that is being written is empty for a moment; apt wants a date, too."""
    archive.world.origin.route(f"{SUITE}/Release", body=archive.release())
    assert (await archive.get(f"{SUITE}/Release")).body == archive.release()
    archive.world.origin.route(f"{SUITE}/Release", body=body)
    archive.world.clock.wind(11)
    assert (await archive.get(f"{SUITE}/Release")).body == archive.release()


@pytest.mark.parametrize("name", ["Release", "main/installer-amd64/current/images/SHA256SUMS"])
async def test_what_a_release_lists_and_is_no_index_holds_up_nothing(
    archive: Archive, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "PATIENCE", 60.0)
    origin = archive.world.origin

    def listed(body: bytes) -> bytes:
        line = f" {hashlib.sha256(body).hexdigest()} {len(body)} {name}\n".encode()
        origin.route(f"{SUITE}/{name}", body=body)
        origin.route(by_hash(f"{SUITE}/{name}", body), body=body)
        return archive.signed().replace(b"SHA256:\n", b"SHA256:\n" + line)

    old, new = b"Date: Sat, 21 Nov 2026 10:00:00 UTC\n", b"Date: Sat, 21 Nov 2026 11:00:00 UTC\n"
    origin.route(INRELEASE, body=listed(old))
    await archive.get(INRELEASE)
    assert (await archive.get(by_hash(f"{SUITE}/{name}", old))).body == old
    archive.publish()
    expected = listed(new)
    origin.route(INRELEASE, body=expected)
    archive.world.clock.wind(11)
    async with asyncio.timeout(20):
        assert (await archive.get(INRELEASE)).body == expected


async def test_an_old_index_says_nothing_of_what_files_are_now(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. A file is replaced under its name. 2. A slow client gets the index from before. 3. Others get the new file."""

    def deb(number: int) -> bytes:
        return b"!<arch>\n%d" % number

    def index(path: str = PACKAGES, number: int | None = None) -> bytes:
        body = deb(archive.number if number is None else number)
        fields = f"Filename: pool/x.deb\nSize: {len(body)}\nSHA256: {hashlib.sha256(body).hexdigest()}\n"
        return f"Package: {path[-8:].lower()}\n{fields}\n".encode()

    monkeypatch.setattr(archive, "index", index)
    for _ in range(3):
        archive.publish()
        archive.world.origin.route("/pool/x.deb", body=deb(archive.number))
        archive.world.clock.wind(11)
        await archive.get(INRELEASE)
    await archive.update()
    for number in (2, 3):
        assert (await archive.get(by_hash(PACKAGES, index(number=number)))).body == index(number=number)
        assert (await archive.get("/pool/x.deb")).body == deb(4)
