"""Lies of origins: one object at a time, and no end of a body before it is verified."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.errors import Changed, Mismatch
from mirror.evict import Limits
from mirror.model import Request
from mirror.ports import Piece
from mirror.reply import Reply
from tests.conftest import Got, World, take
from tests.instruments import bodies
from tests.instruments.origin import Response

MB = 1_000_000
MAKE = Callable[..., World]
FILE = "/packages/aa/bb/six-1.0-py3-none-any.whl"
GOOD = b"PK\x03\x04" + bodies.body("wheel", 0, 12 * MB)


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[World]:
    """A `pypi` mirror of an origin with one project, `six`, whose one wheel is announced with its digest."""
    async with World(tmp_path / "cache", ecosystem="pypi").open() as world:
        await announce(world, GOOD)
        yield world


async def announce(world: World, wheel: bytes) -> None:
    """Have the world's index name the wheel with its digest."""
    world.mirror = replace(world.mirror, upstreams=(world.origin.url("/simple"),), ttl=600.0, keep=86400.0)
    link = f'<a href="{FILE}#sha256={hashlib.sha256(wheel).hexdigest()}">{FILE.rpartition("/")[2]}</a>'
    world.origin.route("/simple/six/", headers=[("content-type", "text/html")], body=link.encode())
    await world.get("/simple/six/", "")


def ranged(body: bytes, tag: str = '"one"', *, lies: bool = False) -> Callable[[Request], Response]:
    """Answers whole or with the range that is asked for; one that lies heeds no If-Range."""

    def respond(request: Request) -> Response:
        fields = [("etag", tag), ("accept-ranges", "bytes")]
        wanted = request.headers.get("range")
        if wanted is None or (not lies and request.headers.get("if-range") not in (None, tag)):
            return Response(200, fields, body)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), int(last or len(body) - 1) + 1
        return Response(206, [*fields, ("content-range", f"bytes {start}-{end - 1}/{len(body)}")], body[start:end])

    return respond


def damaged(at: int) -> bytes:
    return GOOD[:at] + bytes([GOOD[at] ^ 1]) + GOOD[at + 1 :]


class TestSmall:
    @pytest.mark.row(7, at="1,000 bytes: an error before the head")
    async def test_a_small_body_that_is_damaged_is_an_error_before_anybody_has_its_head(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Seen red: a small file is given without a look at its digest."""
        small = GOOD[:1000]
        async with World(tmp_path / "cache", ecosystem="pypi").open() as world:
            await announce(world, small)
            world.origin.route(FILE, body=damaged(100)[:1000])
            with pytest.raises(Mismatch, match=f"expected sha256:{hashlib.sha256(small).hexdigest()}, got sha256:"):
                await world.ask(f"/files{FILE}", "")
            assert "expected sha256:" in caplog.text
            world.origin.route(FILE, body=small)
            got = await world.get(f"/files{FILE}", "")
            assert (got.body, got.reply.outcome.hit) == (small, False)


class TestOneObject:
    @pytest.mark.row(5, at="no validators, or another coding, behind a cut")
    async def test_without_validators_a_range_of_the_new_object_is_not_put_behind_the_old_one(
        self, world: World
    ) -> None:
        query = "cc=max-age=60&etag=none&lm=none&cut=50%25&times=1&version=2:after=1"
        got = await world.get("/obj/a/3000000", query)
        assert isinstance(got.broke, Changed)
        await world.settled()
        assert not world.blobs()

    @pytest.mark.row(5, at="no validators, or another coding, behind a cut")
    async def test_a_resumed_body_has_the_coding_of_the_first_answer(self, world: World) -> None:
        whole, coded = bodies.body("plain", 0, MB), bodies.body("coded", 0, 600_000)

        def respond(request: Request) -> Response:
            if request.headers.get("range"):
                return ranged(whole)(request)
            return Response(200, [("etag", '"one"'), ("content-encoding", "gzip")], coded)

        world.origin.route("/x", body=respond, shape="chunked=1&cut=300000&times=1")
        got = await world.get("/x")
        assert isinstance(got.broke, Changed)

    async def test_a_long_part_does_not_set_the_withheld_bytes_free(self, index: World) -> None:
        """A kept partial lacks one hole; its bytes come damaged, in an answer that goes on behind the hole."""
        index.mirror = replace(index.mirror, complete_ranges=False)
        index.origin.route(FILE, body=ranged(GOOD))
        for start, end in [(0, 4 * MB), (5 * MB, len(GOOD))]:
            assert (await _part(index, start, end)).broke is None
        await index.settled()
        assert index.leftovers()
        bad = damaged(4 * MB + 10)

        def respond(_: Request) -> Response:
            fields = [("etag", '"one"'), ("content-range", f"bytes {4 * MB}-{len(GOOD) - 1}/{len(GOOD)}")]
            return Response(206, fields, bad[4 * MB :])

        index.origin.route(FILE, body=respond)
        parts = await asyncio.gather(*(_part(index, at, at + MB) for at in range(4 * MB, 12 * MB, MB)))
        assert any(isinstance(part.broke, Mismatch) for part in parts[:1])
        await index.settled()
        assert not [entry for entry in index.blobs() if entry.stat().st_size > MB]


async def _gather(pieces: AsyncIterator[Piece], into: list[bytes]) -> None:
    async for piece in pieces:
        into.append(bytes(piece))  # type: ignore[arg-type]


async def _fallen_behind(world: World) -> tuple[Reply, AsyncGenerator[Piece, None], bytes]:
    """A reader that has one piece of a body which is stored nowhere, and whose download another one has finished."""
    world.origin.route(FILE, body=ranged(GOOD))
    world.room.limits = Limits(MB)
    reply = await world.ask(f"/files{FILE}", "")
    slow = reply.source.read(0, reply.size)
    first = bytes(await anext(slow))  # type: ignore[arg-type]
    assert (await world.get(f"/files{FILE}", "")).body == GOOD
    return reply, slow, first


async def _part(world: World, start: int, end: int) -> Got:
    reply = await world.ask(f"/files{FILE}", "", range=f"bytes={start}-{end - 1}")
    return await take(reply, start, end)


class TestWithheld:
    @pytest.mark.row(7, 25, at="the disk is full as well")
    async def test_a_bad_body_in_several_segments_is_not_given_whole_when_the_disk_refuses(self, index: World) -> None:
        index.origin.route(FILE, body=ranged(damaged(100)))
        index.room.limits = Limits(MB)
        part = asyncio.create_task(_part(index, 6 * MB, 7 * MB))
        whole = asyncio.create_task(index.get(f"/files{FILE}", ""))
        assert (await whole).broke is not None
        await part

    @pytest.mark.row(25, at="12 MB through a cache of 1 MB, whole and verified")
    async def test_a_good_body_is_given_whole_when_there_is_no_room(self, index: World) -> None:
        index.origin.route(FILE, body=ranged(GOOD))
        index.room.limits = Limits(MB)
        both = await asyncio.gather(index.get(f"/files{FILE}", ""), _part(index, 11 * MB, 12 * MB))
        assert both[0].body == GOOD
        assert both[1].body == GOOD[11 * MB : 12 * MB]

    async def test_who_fell_behind_gets_no_other_object_from_a_connection_of_its_own(self, index: World) -> None:
        reply, slow, first = await _fallen_behind(index)
        index.origin.route(FILE, body=ranged(bytes(len(GOOD)), '"two"', lies=True))
        rest = [first]
        with pytest.raises(Changed):
            await _gather(slow, rest)
        await reply.source.close()
        assert GOOD.startswith(b"".join(rest))

    async def test_who_fell_behind_and_the_same_object(self, index: World) -> None:
        reply, slow, first = await _fallen_behind(index)
        rest = [bytes(piece) async for piece in slow]  # type: ignore[arg-type]
        await reply.source.close()
        assert first + b"".join(rest) == GOOD

    @pytest.mark.row(7, at="no length announced")
    async def test_a_bad_body_of_unknown_length_keeps_its_end_back(self, index: World) -> None:
        index.origin.route(FILE, body=damaged(100), shape="chunked=1")
        got = await index.get(f"/files{FILE}", "")
        assert isinstance(got.broke, Mismatch)
        assert len(got.body) < len(GOOD)

    async def test_a_good_body_of_unknown_length_comes_whole(self, index: World) -> None:
        index.origin.route(FILE, body=GOOD, shape="chunked=1")
        assert (await index.get(f"/files{FILE}", "")).body == GOOD
        assert (await index.get(f"/files{FILE}", "")).reply.outcome.hit

    async def test_what_cannot_be_read_back_to_be_verified_is_not_released(
        self, index: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        index.origin.route(FILE, body=ranged(damaged(100)))

        def broken(*_: object) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("mirror.stores.hashes.Hashes.update_from", broken)
        await _part(index, 6 * MB, 7 * MB)
        assert (await index.get(f"/files{FILE}", "")).broke is not None
