"""Packages through the cache: files whose facts stand in index pages, tarballs whose digests stand in packuments."""

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

from mirror.errors import Mismatch, NotFound, OriginError
from tests.conftest import World, take
from tests.instruments import bodies
from tests.instruments.origin import Origin

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

    async def test_who_comes_after_a_failure_was_told_is_not_told_it_again(self, index: World) -> None:
        """However long the rest of that takes. Seen red: whoever comes until then gets the same."""
        index.origin.route("/simple/six/", status=500, body=b"x" * 100_000, shape="hold=50%")
        with pytest.raises(OriginError):
            await index.get("/simple/six/", "")
        index.origin.route("/simple/six/", headers=[("content-type", "text/html")], body=page(DIGEST))
        async with asyncio.timeout(30):
            assert FILE.encode() in (await index.get("/simple/six/", "")).body
        assert index.origin.requests("/simple/six/") == 2

    async def test_a_file_that_no_page_names_does_not_exist(self, index: World) -> None:
        with pytest.raises(NotFound):
            await index.get("/files/packages/aa/bb/six-2.0-py3-none-any.whl", "")

    @pytest.mark.row(7)
    @pytest.mark.parametrize("at", [4, len(WHEEL) // 2, len(WHEEL) - 1])
    async def test_no_client_ever_holds_a_complete_bad_file(
        self, index: World, at: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Seen red: the last bytes are given before the file is verified."""
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

    @pytest.mark.row(7, at="the file asked for in ranges")
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

    @pytest.mark.row(8, at="an index page fetched a second time")
    async def test_an_index_without_validators_keeps_our_tag_while_its_bytes_are_the_same(self, index: World) -> None:
        """Seen red: an ETag is another one each time that it is made."""
        first = await index.get("/simple/six/", "")
        index.clock.wind(601)
        second = await index.get("/simple/six/", "")
        assert second.reply.head.headers.get("etag") == first.reply.head.headers.get("etag")

    @pytest.mark.row(18, at="an index whose upstream is gone")
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

    @pytest.mark.row(19, at="404: 60 s")
    async def test_missing_projects_are_remembered_for_a_minute(self, index: World) -> None:
        for _ in range(3):
            got = await index.get("/simple/absent/", "")
            assert got.reply.head.status == 404
        assert index.origin.requests("/simple/absent/") == 1
        index.clock.wind(61)
        await index.get("/simple/absent/", "")
        assert index.origin.requests("/simple/absent/") == 2

    @pytest.mark.row(24, at="a link to another host")
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
    async def test_tarballs_are_verified_by_the_integrity_of_the_packument(
        self, make_world: Callable[..., World]
    ) -> None:
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
