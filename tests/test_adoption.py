"""No release goes past its adoption: whatever its framing or fields, a full disk, a purge, the server's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from mirror import generations
from mirror.errors import NotAdopted, StoreError
from mirror.model import Request
from mirror.operations import Selection
from mirror.reply import Reply
from tests.conftest import Halt, World
from tests.instruments.clock import eventually
from tests.instruments.origin import Response
from tests.instruments.suite import SUITE, Archive, configure, errand, trust

INRELEASE = f"{SUITE}/InRelease"
BIG = b"Description: " + b"x" * (6 << 20) + b"\n"
FRAMINGS = [
    ("close=1", [], 0),
    ("", [("Cache-Control", "no-store")], 0),
    ("", [], 203),
]


@pytest.fixture
async def archive(make_world: Callable[..., World]) -> AsyncIterator[Archive]:
    async with make_world(ecosystem="apt").open() as world:
        configure(world)
        yield Archive(world)


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
    async with asyncio.timeout(30):
        assert (await archive.get(INRELEASE)).body == body


@pytest.mark.row(25, at="writes refused from the first on")
async def test_a_full_disk_holds_up_no_first_release(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("no space left")

    monkeypatch.setattr("mirror.stores.partial.FilePartial._write_at_once", refuse)
    monkeypatch.setattr("mirror.stores.partial.FilePartial.open_now", refuse)
    body = archive.signed() + BIG
    archive.world.origin.route(INRELEASE, body=body)
    async with asyncio.timeout(30):
        assert (await archive.get(INRELEASE)).body == body
    trust(archive, b"nothing")
    async with asyncio.timeout(30):
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
    async with asyncio.timeout(30):
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
        async with asyncio.timeout(30):
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


async def test_where_rules_are_forgotten_a_release_is_checked_again_and_a_refused_one_asked_for(
    archive: Archive,
) -> None:
    keys = trust(archive, b"Date")
    await archive.update()
    asked = keys.asked
    keys.trusted = b"nothing"  # the keyring has the same name, and another key
    archive.world.engine.forget()
    with pytest.raises(NotAdopted):
        await archive.get(INRELEASE)
    assert keys.asked > asked
    keys.trusted = b"Date"
    archive.world.engine.forget()
    assert (await archive.get(INRELEASE)).body == archive.signed()
