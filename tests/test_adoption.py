"""No release goes past its adoption: whatever its framing or fields, a full disk, a purge, the server's end."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from mirror import generations
from mirror.errors import MirrorError, NotAdopted, OriginError, StoreError
from mirror.model import Headers, Request
from mirror.operations import Selection
from mirror.reply import Reply
from tests.conftest import Halt, World, take
from tests.instruments.clock import eventually
from tests.instruments.origin import Response
from tests.instruments.suite import PACKAGES, SUITE, Archive, by_hash

INRELEASE = f"{SUITE}/InRelease"
BIG = b"Description: " + b"x" * (6 << 20) + b"\n"


@pytest.fixture
async def archive(make_world: Callable[..., World]) -> AsyncIterator[Archive]:
    async with make_world(ecosystem="apt").open() as world:
        configure(world)
        yield Archive(world)


def configure(world: World, **changes: Any) -> None:
    world.mirror = replace(world.mirror, ttl=10.0, grace=86400.0, keep=86400.0, **changes)


class Keys:
    """Signatures that are right in the releases that hold `trusted`."""

    def __init__(self, trusted: bytes) -> None:
        self.trusted = trusted
        self.asked = 0
        self.halt: Halt | None = None

    async def check(self, keyring: str, signed: bytes, signature: bytes | None = None) -> None:
        self.asked += 1
        if self.halt:
            await self.halt()
        if self.trusted not in signed:
            raise OriginError("no key of the keyring has signed it")


def trust(archive: Archive, trusted: bytes) -> Keys:
    """From now on the mirror has a keyring."""
    keys = Keys(trusted)
    archive.world.engine._generations._signatures = keys
    archive.world.mirror = replace(archive.world.mirror, keyring="/keys.gpg")
    return keys


FRAMINGS = [
    ("close=1", [], 0),
    ("", [("Cache-Control", "no-store")], 0),
    ("", [], 203),
]


@pytest.mark.parametrize(("shape", "fields", "status"), FRAMINGS)
async def test_with_a_keyring_nobody_gets_what_cannot_be_stored(
    archive: Archive, shape: str, fields: list[tuple[str, str]], status: int
) -> None:
    trust(archive, b"nothing")
    archive.world.origin.route(INRELEASE, status or 200, fields, archive.signed(), shape=shape)
    with pytest.raises(NotAdopted):
        await archive.get(INRELEASE)


@pytest.mark.parametrize(("shape", "fields", "status"), FRAMINGS)
async def test_a_release_that_cannot_be_stored_does_not_replace_one_that_is(
    archive: Archive, shape: str, fields: list[tuple[str, str]], status: int
) -> None:
    before = await archive.update()
    archive.publish()
    archive.world.origin.route(INRELEASE, status or 200, fields, archive.signed(), shape=shape)
    archive.world.clock.wind(11)
    assert await archive.update() == before


@pytest.mark.parametrize(("shape", "fields", "status"), FRAMINGS)
async def test_a_first_release_that_cannot_be_stored_is_handed_on(
    archive: Archive, shape: str, fields: list[tuple[str, str]], status: int
) -> None:
    body = archive.signed() + BIG  # more than a ring holds: nobody reads before it is whole
    archive.world.origin.route(INRELEASE, status or 200, fields, body, shape=shape)
    async with asyncio.timeout(10):
        assert (await archive.get(INRELEASE)).body == body


async def test_a_full_disk_holds_up_no_first_release(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("no space left")

    monkeypatch.setattr("mirror.stores.partial.FilePartial._write_at_once", refuse)
    monkeypatch.setattr("mirror.stores.partial.FilePartial.open_now", refuse)
    body = archive.signed() + BIG
    archive.world.origin.route(INRELEASE, body=body)
    async with asyncio.timeout(10):
        assert (await archive.get(INRELEASE)).body == body
    trust(archive, b"nothing")
    async with asyncio.timeout(10):
        with pytest.raises(NotAdopted):
            await archive.get(INRELEASE)


async def test_a_purge_during_the_download_lets_nothing_through(archive: Archive) -> None:
    """1. A client waits for a release. 2. It is purged. 3. Its bytes are there, and are not to be stored."""
    trust(archive, b"nothing")
    halt = Halt()

    async def slow(_: Request) -> Response:
        await halt()
        return Response(200, (), archive.signed())

    archive.world.origin.route(INRELEASE, body=slow)
    client = asyncio.ensure_future(archive.get(INRELEASE))
    await halt.reached.wait()
    await archive.world.operations.purge(Selection(everything=True))
    halt.over.set()
    with pytest.raises(NotAdopted):
        await client
    assert not archive.world.blobs()


async def test_who_waits_for_what_is_purged_gets_it(archive: Archive) -> None:
    halt = Halt()

    async def slow(_: Request) -> Response:
        await halt()
        return Response(200, (), archive.signed())

    archive.world.origin.route(INRELEASE, body=slow)
    clients = [asyncio.ensure_future(archive.get(INRELEASE)) for _ in range(3)]
    await halt.reached.wait()
    await archive.world.joined("/o" + INRELEASE, 3)
    await archive.world.operations.purge(Selection(everything=True))
    halt.over.set()
    assert [(await client).body for client in clients] == [archive.signed()] * 3
    await archive.world.settled()
    assert not archive.world.blobs()


async def test_a_signed_release_that_comes_during_a_check_stays(archive: Archive) -> None:
    await archive.update()
    keys = trust(archive, b"10:02:00")
    keys.halt = halt = Halt()
    client = asyncio.ensure_future(archive.get(INRELEASE))
    await halt.reached.wait()
    keys.halt = None
    archive.publish()
    archive.world.clock.wind(11)
    await archive.world.engine._document(archive.world.mirror, Request("GET", INRELEASE))
    await archive.world.settled()  # it was renewed behind the client
    renewed = await archive.world.index.get("/o" + INRELEASE)
    halt.over.set()
    assert (await client).body == archive.signed()
    assert await archive.world.index.get("/o" + INRELEASE) == renewed


async def test_what_was_stored_before_there_was_a_keyring_is_checked(archive: Archive) -> None:
    await archive.update()
    keys = trust(archive, b"nothing")
    for _ in range(2):
        with pytest.raises(NotAdopted):
            await archive.get(INRELEASE)
    keys.trusted = b"Date"
    assert (await archive.get(INRELEASE)).body == archive.signed()
    asked = keys.asked
    assert (await archive.get(INRELEASE)).body == archive.signed()
    assert keys.asked == asked  # once for each release


async def test_an_offline_mirror_keeps_what_it_does_not_serve(archive: Archive) -> None:
    await archive.update()
    keys = trust(archive, b"nothing")
    archive.world.mirror = replace(archive.world.mirror, offline=True)
    with pytest.raises(NotAdopted):
        await archive.get(INRELEASE)
    keys.trusted = b"Date"  # it was the keyring that was wrong
    assert await archive.update() == (archive.signed(), archive.index())


async def test_a_stored_pair_is_checked_together(archive: Archive) -> None:
    archive.world.origin.route(f"{SUITE}/Release", body=archive.release())
    archive.world.origin.route(f"{SUITE}/Release.gpg", 404)
    await archive.get(f"{SUITE}/Release")
    trust(archive, b"Date")
    with pytest.raises(NotAdopted, match="not signed"):
        await archive.get(f"{SUITE}/Release")
    archive.world.origin.route(f"{SUITE}/Release.gpg", body=b"signature")
    archive.world.clock.wind(generations.PAUSE + 61)
    assert (await archive.get(f"{SUITE}/Release")).body == archive.release()
    assert (await archive.get(f"{SUITE}/Release.gpg")).body == b"signature"


async def test_a_range_of_a_release_is_one_of_an_adopted_one(archive: Archive) -> None:
    def ranged(request: Request) -> Response:
        if "range" not in request.headers:
            return Response(200, [("ETag", '"x"')], archive.signed())
        size = len(archive.signed())
        return Response(206, [("Content-Range", f"bytes 5-{size - 1}/{size}")], archive.signed()[5:])

    archive.world.origin.route(INRELEASE, body=ranged)
    trust(archive, b"nothing")
    with pytest.raises(NotAdopted):
        await archive.get(INRELEASE, range="bytes=5-")
    trust(archive, b"Date")
    archive.world.mirror = replace(archive.world.mirror, complete_ranges=False)
    async with asyncio.timeout(10):
        assert (await archive.get(INRELEASE, range="bytes=5-9")).reply.head.status == 200


async def test_the_end_of_the_server_waits_for_no_adoption(archive: Archive) -> None:
    """1. A new release is whole. 2. Its signature is being checked. 3. The server ends."""
    await archive.update()
    keys, halt = trust(archive, b"Date"), Halt()
    await archive.get(INRELEASE)
    keys.halt = halt
    archive.publish()
    archive.world.clock.wind(11)
    client = asyncio.ensure_future(archive.get(INRELEASE))
    await halt.reached.wait()
    try:
        async with asyncio.timeout(5):
            await archive.world.fills.close()
    finally:
        halt.over.set()
    await asyncio.gather(client, return_exceptions=True)
    assert not archive.world.fills.running()


async def test_a_reply_that_came_too_late_is_closed(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """1. A client's patience ends. 2. The one before is looked up. 3. Meanwhile the new one is adopted."""
    await archive.update()
    monkeypatch.setattr(generations, "PATIENCE", 0.0)
    closed = []
    made = archive.world.engine._generations

    class Closing:
        async def close(self) -> None:
            closed.append(1)

    reply = await archive.world.engine.answer(archive.world.mirror, Request("GET", INRELEASE))
    late = asyncio.Event()

    async def carry(_: object) -> Reply:
        await late.wait()
        return replace(reply, source=Closing())  # type: ignore[arg-type]

    async def before(_: object) -> Reply:
        late.set()
        await eventually(lambda: not [t for t in asyncio.all_tasks() if "carry" in repr(t.get_coro())])
        return reply

    monkeypatch.setattr(made, "_carry", carry)
    monkeypatch.setattr(made, "_before", before)
    got = await made.reply(errand(archive))
    await got.source.close()
    await reply.source.close()
    await eventually(lambda: bool(closed))


def errand(archive: Archive) -> Any:
    from mirror.ecosystems import PLANNERS
    from mirror.errand import Errand
    from mirror.model import Plan

    request = Request("GET", INRELEASE)
    plan = PLANNERS["apt"](archive.world.mirror, request)
    assert isinstance(plan, Plan)
    return Errand(archive.world.mirror, plan, request)


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
async def test_what_a_release_lists_and_is_no_index_holds_up_nothing(archive: Archive, name: str) -> None:
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
    async with asyncio.timeout(4):
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
