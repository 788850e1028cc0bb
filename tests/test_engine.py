"""Requests through the cache: what is a hit, what is asked again, what is served when the origin is gone."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.errors import Mismatch, NotFound, Offline, OriginError, Unavailable
from mirror.evict import Limits
from tests.conftest import World, right, take
from tests.instruments import bodies
from tests.instruments.clock import eventually
from tests.instruments.origin import Origin

MB = 1_000_000
MAKE = Callable[..., World]


def expires(world: World, **changes: float) -> None:
    world.mirror = replace(world.mirror, **changes)  # type: ignore[arg-type]


class TestFreshness:
    async def test_a_stale_entry_is_asked_about_and_renewed(self, world: World) -> None:
        await world.get("/obj/a/1000", "cc=max-age=60")
        world.clock.wind(61)
        again = await world.get("/obj/a/1000", "cc=max-age=60")
        assert right(again, "a", 1000)
        assert again.outcome == "mirror; fwd=stale; fwd-status=304"
        assert world.origin.sent("/obj/a/1000") == 1000

    async def test_a_thousand_clients_on_an_expired_entry_cause_one_question(self, world: World) -> None:
        await world.get("/obj/a/1000", "cc=max-age=60")
        world.clock.wind(61)
        answers = await asyncio.gather(*(world.get("/obj/a/1000", "cc=max-age=60") for _ in range(1000)))
        assert all(right(got, "a", 1000) for got in answers)
        assert world.origin.requests("/obj/a/1000") == 2

    async def test_a_changed_object_replaces_the_stored_one(self, world: World) -> None:
        await world.get("/obj/a/1000", "cc=max-age=60")
        world.origin.bump("/obj/a/1000")
        world.clock.wind(61)
        again = await world.get("/obj/a/1000", "cc=max-age=60")
        assert again.body == bodies.body(bodies.versioned("a", 1), 0, 1000)
        assert len(world.blobs()) == 1

    async def test_what_may_not_be_stored_is_relayed_to_each(self, world: World) -> None:
        for _ in range(3):
            assert right(await world.get("/obj/a/100000", "cc=no-store"), "a", 100_000)
        assert world.origin.requests("/obj/a/100000") == 3
        assert not world.blobs()

    async def test_an_unshared_answer_is_not_given_to_those_who_waited_for_it(self, world: World) -> None:
        answers = await asyncio.gather(*(world.get("/obj/a/100000", "cc=private") for _ in range(5)))
        assert all(right(got, "a", 100_000) for got in answers)
        assert world.origin.requests("/obj/a/100000") == 5


class TestVariants:
    QUERY = "cc=max-age=60&vary=Accept-Language"

    async def test_variants_of_one_address_live_side_by_side(self, world: World) -> None:
        for language in ("en", "de", "en", "de"):
            got = await world.get("/obj/a/1000", self.QUERY, accept_language=language)
            assert right(got, "a", 1000)
        assert got.reply.outcome.hit
        assert [dict(record.headers)["accept-language"] for record in world.origin.log] == ["en", "de"]

    async def test_who_joins_a_download_of_another_variant_gets_its_own(self, world: World) -> None:
        languages = ["en", "de", "en", "fr"]
        answers = await asyncio.gather(
            *(world.get("/obj/a/100000", self.QUERY, accept_language=language) for language in languages)
        )
        assert all(right(got, "a", 100_000) for got in answers)
        asked = sorted(dict(record.headers)["accept-language"] for record in world.origin.log)
        assert asked == ["de", "en", "fr"]


class TestWhenTheOriginFails:
    async def test_a_dead_origin_is_not_noticed_while_stale_may_be_served(self, world: World) -> None:
        expires(world, keep=3600.0)
        await world.get("/obj/a/1000", "cc=max-age=60")
        world.origin.down()
        world.clock.wind(100)
        got = await world.get("/obj/a/1000", "cc=max-age=60")
        assert right(got, "a", 1000)
        assert got.outcome == "mirror; hit; ttl=-40; detail=stale-if-error"

    async def test_a_miss_on_a_dead_origin_says_why(self, world: World) -> None:
        world.origin.down()
        with pytest.raises(OriginError, match=r"127\.0\.0\.1"):
            await world.get("/obj/a/1000")

    async def test_an_error_of_the_origin_is_relayed_and_not_stored(self, world: World) -> None:
        got = await world.get("/obj/a/1000", "status=500&times=1")
        assert got.reply.head.status == 500
        assert right(await world.get("/obj/a/1000", "status=500&times=1&cc=max-age=60"), "a", 1000)

    async def test_offline_serves_what_is_there_and_asks_nothing(self, world: World) -> None:
        await world.get("/obj/a/1000", "cc=max-age=60")
        world.clock.wind(1000)
        world.mirror = replace(world.mirror, offline=True)
        got = await world.get("/obj/a/1000", "cc=max-age=60")
        assert right(got, "a", 1000)
        with pytest.raises(Offline):
            await world.get("/obj/b/1000")
        assert world.origin.requests() == 1

    async def test_an_unavailable_mirror_says_its_reason(self, world: World) -> None:
        world.mirror = replace(world.mirror, unavailable="npm is not installed")
        with pytest.raises(Unavailable, match="npm is not installed"):
            await world.get("/obj/a/1")


class TestBrokenStores:
    async def test_a_damaged_blob_is_a_miss(self, world: World) -> None:
        await world.get("/obj/a/1000")
        blob = world.blobs()[0]
        blob.chmod(0o600)
        blob.write_bytes(blob.read_bytes()[:-5])
        assert right(await world.get("/obj/a/1000"), "a", 1000)
        assert (await world.get("/obj/a/1000")).reply.outcome.hit

    async def test_an_evicted_blob_is_a_miss(self, world: World) -> None:
        await world.get("/obj/a/1000")
        world.blobs()[0].unlink()
        assert right(await world.get("/obj/a/1000"), "a", 1000)
        assert world.origin.requests() == 2

    async def test_eviction_breaks_no_running_reader(self, world: World) -> None:
        await world.get("/obj/a/3000000")
        reply = await world.ask("/obj/a/3000000")
        entry = await world.index.get("/o/obj/a/3000000?cc=max-age=3600")
        assert entry is not None
        await world.store.delete(entry.blob)
        assert right(await take(reply), "a", 3 * MB)

    async def test_no_room_streams_through_complete_and_verified(self, make_world: MAKE) -> None:
        async with make_world(limits=Limits(MB)).open() as world:
            everybody = await asyncio.gather(*(world.get("/obj/a/30000000") for _ in range(4)))
            assert all(right(got, "a", 30 * MB) for got in everybody)
            assert not world.blobs()
            assert not world.leftovers()

    async def test_a_disk_that_fills_in_the_middle_is_not_noticed(self, world: World) -> None:
        reply = await world.ask("/obj/a/50000000", "cc=max-age=60&hold=30%25&times=1")
        reading = asyncio.create_task(take(reply))
        await eventually(lambda: world.origin.sent("/obj/a/50000000") >= 15 * MB)
        file = world.path / "partial" / world.leftovers()[0]
        _refuse_writes(world)
        world.origin.release("/obj/a/50000000")
        assert right(await reading, "a", 50 * MB)
        await world.settled()
        assert not world.blobs()
        assert not file.exists()


def _refuse_writes(world: World) -> None:
    """From now on nothing more fits: what a full disk says to the next write."""
    world.room.limits = Limits(1)
    for reservation in world.room._reservations:
        reservation.count = 0


class TestHead:
    async def test_a_cold_head_fetches_no_body(self, world: World) -> None:
        reply = await world.ask("/obj/a/1000", method="HEAD")
        await reply.source.close()
        assert reply.head.headers.get("content-length") == "1000"
        assert world.origin.log[-1].method == "HEAD"
        assert not world.fills.running()


WHEEL = b"PK\x03\x04" + bodies.body("wheel", 0, 200_000)
FILE = "/packages/aa/bb/six-1.0-py3-none-any.whl"
DIGEST = hashlib.sha256(WHEEL).hexdigest()


def page(digest: str, file: str = FILE) -> bytes:
    return f'<html><body><a href="{file}#sha256={digest}">{file.rpartition("/")[2]}</a></body></html>'.encode()


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[World]:
    """A `pypi` mirror of an origin with one project, `six`, of one wheel."""
    async with World(tmp_path / "cache", ecosystem="pypi").open() as world:
        world.mirror = replace(world.mirror, upstreams=(world.origin.url("/simple"),), ttl=600.0, keep=86400.0)
        world.origin.route("/simple/six/", headers=[("content-type", "text/html")], body=page(DIGEST))
        world.origin.route(FILE, body=WHEEL)
        yield world


class TestPackages:
    async def test_links_lead_back_here_and_files_are_verified(self, index: World) -> None:
        document = await index.get("/simple/six/", "")
        assert f'href="../../files{FILE}#sha256={DIGEST}"'.encode() in document.body
        got = await index.get(f"/files{FILE}", "")
        assert got.body == WHEEL
        assert got.reply.head.headers.get("etag") == f'"sha256-{DIGEST}"'
        assert (await index.get(f"/files{FILE}", "")).outcome == "mirror; hit"

    async def test_a_file_is_found_without_its_page_having_been_asked_for(self, index: World) -> None:
        assert (await index.get(f"/files{FILE}", "")).body == WHEEL

    async def test_a_file_that_no_page_names_does_not_exist(self, index: World) -> None:
        with pytest.raises(NotFound):
            await index.get("/files/packages/aa/bb/six-2.0-py3-none-any.whl", "")

    @pytest.mark.parametrize("at", [4, len(WHEEL) // 2, len(WHEEL) - 1])
    async def test_no_client_ever_holds_a_complete_bad_file(
        self, index: World, at: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        bad = bytearray(WHEEL)
        bad[at] ^= 1
        index.origin.route(FILE, body=bytes(bad))
        with caplog.at_level(logging.WARNING):
            readers = await asyncio.gather(*(index.get(f"/files{FILE}", "") for _ in range(5)))
        for got in readers:
            assert isinstance(got.broke, Mismatch)
            assert len(got.body) < len(WHEEL)
        await index.settled()
        assert len(index.blobs()) == 1  # the page
        found = hashlib.sha256(bytes(bad)).hexdigest()
        assert f"/o/files{FILE}: expected sha256:{DIGEST}, got sha256:{found}" in caplog.text
        index.origin.route(FILE, body=WHEEL)
        assert (await index.get(f"/files{FILE}", "")).body == WHEEL

    async def test_pieces_put_together_never_make_a_complete_bad_file(self, index: World) -> None:
        bad = bytearray(WHEEL)
        bad[100] ^= 1
        index.origin.route(FILE, body=bytes(bad))
        size = len(WHEEL)
        ranges = [(start, min(size, start + 50_000)) for start in range(0, size, 50_000)]
        parts = await asyncio.gather(*(_part(index, start, end) for start, end in ranges), return_exceptions=True)
        assert sum(len(part) for part in parts if isinstance(part, bytes)) < size

    async def test_a_login_page_is_no_wheel(self, index: World) -> None:
        html = b"<!DOCTYPE html><html>please log in</html>"
        index.origin.route(FILE, headers=[("content-type", "text/html")], body=html)
        with pytest.raises(OriginError):
            await index.get(f"/files{FILE}", "")

    async def test_a_page_that_lacks_a_new_file_is_asked_for_again(self, index: World) -> None:
        await index.get("/simple/six/", "")
        new = FILE.replace("1.0", "1.1")
        index.origin.route(new, body=WHEEL)
        index.origin.route(
            "/simple/six/", headers=[("content-type", "text/html")], body=page(DIGEST) + page(DIGEST, new)
        )
        index.clock.wind(10)
        assert (await index.get(f"/files{new}", "")).body == WHEEL

    async def test_an_index_without_validators_keeps_our_tag_while_its_bytes_are_the_same(self, index: World) -> None:
        first = await index.get("/simple/six/", "")
        index.clock.wind(601)
        second = await index.get("/simple/six/", "")
        assert second.reply.head.headers.get("etag") == first.reply.head.headers.get("etag")

    async def test_a_dead_index_is_served_from_disk(self, index: World) -> None:
        first = await index.get("/simple/six/", "")
        index.clock.wind(3600)
        index.origin.down()
        again = await index.get("/simple/six/", "")
        assert again.body == first.body
        assert again.reply.outcome.hit

    async def test_grace_answers_at_once_and_renews_behind(self, index: World) -> None:
        index.mirror = replace(index.mirror, grace=86400.0)
        await index.get("/simple/six/", "")
        index.origin.route("/simple/six/", headers=[("content-type", "text/html")], body=page("0" * 64))
        index.clock.wind(700)
        stale = await index.get("/simple/six/", "")
        assert DIGEST.encode() in stale.body
        assert stale.outcome == "mirror; hit; ttl=-100"
        await index.settled()
        assert b"0" * 64 in (await index.get("/simple/six/", "")).body

    async def test_missing_projects_are_remembered_for_a_minute(self, index: World) -> None:
        for _ in range(3):
            got = await index.get("/simple/absent/", "")
            assert got.reply.head.status == 404
        assert index.origin.requests("/simple/absent/") == 1
        index.clock.wind(61)
        await index.get("/simple/absent/", "")
        assert index.origin.requests("/simple/absent/") == 2

    async def test_credentials_go_to_the_upstream_and_to_nobody_else(self, index: World) -> None:
        index.mirror = replace(index.mirror, auth=("authorization", "Bearer secret"))
        async with Origin() as other:
            other.route(FILE, body=WHEEL)
            body = page(DIGEST, other.url(FILE))
            index.origin.route("/simple/six/", headers=[("content-type", "text/html")], body=body)
            assert (await index.get(f"/files{FILE}", "")).body == WHEEL
            assert dict(index.origin.log[0].headers)["authorization"] == "Bearer secret"
            assert all("authorization" not in dict(record.headers) for record in other.log)


async def _part(world: World, start: int, end: int) -> bytes:
    reply = await world.ask(f"/files{FILE}", "", range=f"bytes={start}-{end - 1}")
    got = await take(reply, start, end)
    if got.broke:
        raise got.broke
    return got.body


class TestNpm:
    async def test_tarballs_are_verified_by_the_integrity_of_the_packument(self, make_world: MAKE) -> None:
        async with make_world(ecosystem="npm").open() as world:
            world.mirror = replace(world.mirror, ttl=300.0)
            good = b"\x1f\x8b" + bodies.body("tgz", 0, 100_000)
            dist = {
                "tarball": world.origin.url("/x/-/x-1.0.0.tgz"),
                "shasum": hashlib.sha1(good, usedforsecurity=False).hexdigest(),
                "integrity": "sha512-" + base64.b64encode(hashlib.sha512(good).digest()).decode(),
            }
            packument = {"name": "x", "versions": {"1.0.0": {"name": "x", "version": "1.0.0", "dist": dist}}}
            world.origin.route(
                "/x", headers=[("content-type", "application/json")], body=json.dumps(packument).encode()
            )
            world.origin.route("/x/-/x-1.0.0.tgz", body=good[:-1] + b"!")
            document = json.loads((await world.get("/x", "")).body)
            assert document["versions"]["1.0.0"]["dist"]["tarball"] == "http://mirror.test/o/x/-/x-1.0.0.tgz"
            assert isinstance((await world.get("/x/-/x-1.0.0.tgz", "")).broke, Mismatch)
            world.origin.route("/x/-/x-1.0.0.tgz", body=good)
            assert (await world.get("/x/-/x-1.0.0.tgz", "")).body == good
