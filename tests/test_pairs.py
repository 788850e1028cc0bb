"""An archive without InRelease: clients get a Release and the Release.gpg that signs it, never halves of two."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest

from mirror import generations
from mirror.errors import MirrorError
from mirror.model import Entry, Mirror
from mirror.outside import SMALL
from mirror.pairs import Pairs
from tests.conftest import World
from tests.instruments.suite import PACKAGES, SUITE, Archive


@pytest.fixture
async def pair(make_world: Callable[..., World]) -> AsyncIterator[Archive]:
    async with make_world(ecosystem="apt").open() as world:
        world.mirror = replace(world.mirror, ttl=10.0, grace=86400.0, keep=86400.0)
        plain = Archive(world, hashed=False)
        plain.world.origin.route(f"{SUITE}/InRelease", 404)
        put(plain)
        yield plain


def put(archive: Archive, *, release: bool = True, signature: bool = True) -> None:
    if release:
        archive.world.origin.route(f"{SUITE}/Release", body=archive.release())
    if signature:
        archive.world.origin.route(f"{SUITE}/Release.gpg", body=b"signature %d" % archive.number)


async def update(archive: Archive, client: str = "192.0.2.1") -> tuple[bytes, bytes, bytes]:
    names = (f"{SUITE}/Release", f"{SUITE}/Release.gpg", PACKAGES)
    release, signature, index = [(await archive.get(name, client)).body for name in names]
    return release, signature, index


def expected(archive: Archive) -> tuple[bytes, bytes, bytes]:
    return archive.release(), b"signature %d" % archive.number, archive.index()


async def test_both_change_together(pair: Archive) -> None:
    assert await update(pair) == expected(pair)
    pair.publish(release=False)
    put(pair)
    pair.world.clock.wind(11)
    assert await update(pair) == expected(pair)


@pytest.mark.parametrize("half", ["release", "signature"])
async def test_a_half_is_not_served(pair: Archive, half: str) -> None:
    before = await update(pair)
    pair.publish(release=False)
    put(pair, release=half == "release", signature=half == "signature")
    pair.world.clock.wind(11)
    assert await update(pair) == before
    put(pair)
    pair.world.clock.wind(generations.PAUSE + 11)
    assert await update(pair) == expected(pair)


async def test_a_client_gets_the_signature_of_the_release_that_it_was_given(pair: Archive) -> None:
    old = await update(pair, "192.0.2.1")
    pair.publish(release=False)
    put(pair)
    pair.world.clock.wind(11)
    new = await update(pair, "192.0.2.2")
    assert new == expected(pair) != old
    assert (await pair.get(f"{SUITE}/Release.gpg", "192.0.2.1")).body == old[1]
    assert (await pair.get(PACKAGES, "192.0.2.1")).body == old[2]


async def test_an_archive_that_nobody_signs(pair: Archive) -> None:
    pair.world.origin.route(f"{SUITE}/Release.gpg", 404)
    assert (await pair.get(f"{SUITE}/Release")).body == pair.release()
    assert (await pair.get(f"{SUITE}/Release.gpg")).reply.head.status == 404


@pytest.mark.parametrize(
    ("body", "shape"),
    [(b"<!DOCTYPE html><title>Sign in</title>", ""), (b"half of a sig", "close=1")],
)
async def test_what_is_no_signature_does_not_become_one(pair: Archive, body: bytes, shape: str) -> None:
    before = await update(pair)
    pair.publish(release=False)
    put(pair)
    pair.world.origin.route(f"{SUITE}/Release.gpg", body=body, shape=shape)
    pair.world.clock.wind(11)
    assert await update(pair) == before


async def test_a_signature_without_end_is_not_read_into_memory(pair: Archive) -> None:
    before = await update(pair)
    pair.publish(release=False)
    put(pair)
    pair.world.origin.route(f"{SUITE}/Release.gpg", body=b"x" * (SMALL + 1))
    pair.world.clock.wind(11)
    assert (await pair.get(f"{SUITE}/Release")).body == before[0]


async def test_large_signatures_are_not_kept_in_memory(pair: Archive) -> None:
    pair.world.origin.route(f"{SUITE}/Release.gpg", body=b"x" * (2 << 20))
    await update(pair)
    pair.publish(release=False)
    put(pair)
    pair.world.clock.wind(11)
    assert await update(pair) == expected(pair)
    assert not pair.world.engine._generations._pairs._older


@pytest.mark.parametrize("first", ["Release", "Release.gpg"])
@pytest.mark.parametrize("known", [True, False])
async def test_halves_that_were_fetched_before_and_after_a_publication_are_no_pair(
    pair: Archive, monkeypatch: pytest.MonkeyPatch, first: str, known: bool
) -> None:
    """Both differ from what is stored, so that neither shows that they do not belong together."""
    if known:
        await update(pair)
    pair.publish(release=False)
    put(pair)
    pair.world.clock.wind(11)
    fetched = Pairs._fetched

    async def publishing(self: Pairs, mirror: Mirror, document: str) -> Entry | None:
        if pair.number < 3:
            pair.publish(release=False)
            put(pair)
        return await fetched(self, mirror, document)

    monkeypatch.setattr(Pairs, "_fetched", publishing)
    with nullcontext() if known else pytest.raises(MirrorError, match="has changed while"):
        await pair.get(f"{SUITE}/{first}")
    monkeypatch.undo()
    pair.world.clock.wind(generations.PAUSE + 11)
    release, signature, _ = await update(pair)
    assert signature == b"signature %d" % pair.number
    assert release == pair.release()


async def test_an_archive_that_nobody_signs_in_a_store_of_objects(pair: Archive) -> None:
    """Such stores say 403 of what they do not have, to those who may not list them."""
    pair.world.origin.route(f"{SUITE}/Release.gpg", 403)
    assert (await pair.get(f"{SUITE}/Release")).body == pair.release()
    assert (await pair.get(f"{SUITE}/Release.gpg")).reply.head.status == 403


async def test_a_release_that_was_signed_anew_gets_its_new_signature(pair: Archive) -> None:
    before = await update(pair)
    pair.world.origin.route(f"{SUITE}/Release.gpg", body=b"signature by a new key")
    for _ in range(2):
        pair.world.clock.wind(generations.INCOMPLETE_FOR / 2)
        assert await update(pair) == before  # it may be the half of a new pair
    pair.world.clock.wind(generations.INCOMPLETE_FOR / 2 + 1)
    assert await update(pair) == (before[0], b"signature by a new key", before[2])


async def test_an_old_signature_never_comes_with_a_new_release(pair: Archive) -> None:
    before = await update(pair)
    pair.publish(release=False)
    put(pair, signature=False)
    for _ in range(4):
        pair.world.clock.wind(generations.INCOMPLETE_FOR / 2)
        assert await update(pair) == before
