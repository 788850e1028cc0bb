"""npm's documents to who has them already, to HEAD, and to clients that call this server by different names."""

from __future__ import annotations

import json

import pytest

from tests.e2e.npm_house import YARN, Place, Town
from tests.instruments.call import Heard
from tests.instruments.npm_world import Version

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOOLS = "/@acme%2ftools"
TARBALL = "/@acme/tools/-/tools-1.1.0.tgz"
DOCUMENTS = [TOOLS, f"{TOOLS}/1.1.0", f"{TOOLS}/latest", "/-/package/@acme%2ftools/dist-tags"]
CHANGING = {"date", "age", "cache-status", "x-cache", "connection"}


def lasting(heard: Heard, *but: str) -> dict[str, str]:
    return {name.lower(): value for name, value in heard.lines if name.lower() not in CHANGING.union(but)}


@pytest.mark.parametrize("path", [*DOCUMENTS, TARBALL])
async def test_head_says_what_get_says_cold_and_warm(place: Place, path: str) -> None:
    """But for the date that a file without one gets when it is stored: before, there is none to tell."""
    for accept in (YARN, "accept: application/json"):
        cold = await place.ask(path, accept, method="HEAD")
        got = await place.ask(path, accept)
        warm = await place.ask(path, accept, method="HEAD")
        assert (cold.status, got.status, warm.status) == (200, 200, 200)
        assert (cold.body, warm.body) == (b"", b"")
        assert lasting(got) == lasting(warm)
        undated = "last-modified" if path == TARBALL and "last-modified" not in lasting(cold) else ""
        assert lasting(cold) == lasting(got, undated)
        assert undated == "" or not place.registry.real
        assert got.fields.get("content-length") == str(len(got.body))
        assert {"date", "etag", "content-type"} <= {name.lower() for name, _ in got.lines}


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_who_has_a_document_is_told_so_with_all_that_a_cache_needs(place: Place, path: str) -> None:
    for accept in (YARN, "accept: application/json"):
        got = await place.ask(path, accept)
        tag = got.fields.get("etag") or ""
        opaque = tag.removeprefix("W/")
        assert "no-cache" in (got.fields.get("cache-control") or ""), got.lines
        for condition in (tag, f'"other", {opaque}, "more"', f"W/{opaque}", "*"):
            heard = await place.ask(path, accept, f"if-none-match: {condition}")
            assert (heard.status, heard.body) == (304, b""), condition
            for name in ("etag", "cache-control", "vary"):
                assert heard.fields.get(name) == got.fields.get(name), name
            assert heard.fields.get("date")
        assert (await place.ask(path, accept, 'if-none-match: "other"')).status == 200


async def test_the_tag_of_one_form_is_not_the_other_forms(place: Place) -> None:
    short, full = await place.ask(TOOLS, YARN), await place.ask(TOOLS)
    assert short.fields.get("etag") != full.fields.get("etag")
    assert (await place.ask(TOOLS, f"if-none-match: {short.fields.get('etag')}")).status == 200


async def test_a_document_that_changed_has_another_tag(town: Town) -> None:
    for kind in ("real", "poor"):
        place = town.place(kind, stale=True)
        before = (await place.ask(TOOLS)).fields.get("etag")
        place.registry.publish(Version("@acme/tools", "1.2.0"), "latest")
        heard = await place.ask(TOOLS, f"if-none-match: {before}")
        assert heard.status == 200
        assert json.loads(heard.body) == place.ours("@acme/tools")
        assert heard.fields.get("etag") != before


@pytest.mark.parametrize("path", [TOOLS, f"{TOOLS}/1.1.0", f"{TOOLS}/latest"])
async def test_clients_that_know_this_server_by_other_names_never_get_each_others_addresses(
    place: Place, path: str
) -> None:
    port = place.server.port
    hosts = (f"127.0.0.1:{port}", f"localhost:{port}", "mirror.example.com", f"mirror.example.com:{port}")
    for accept in (YARN, "accept: application/json"):
        for coding in ("identity", "gzip"):
            tags = {}
            for host in hosts * 2:
                heard = await place.ask(path, accept, f"accept-encoding: {coding}", host=host)
                assert heard.status == 200
                tags[host] = heard.fields.get("etag")
            assert len(set(tags.values())) == len(hosts)
            for host in hosts:
                fields = (accept, f"accept-encoding: {coding}", f"if-none-match: {tags[hosts[0]]}")
                assert (await place.ask(path, *fields, host=host)).status == (304 if host == hosts[0] else 200)
        for host in hosts:
            text = (await place.ask(path, accept, host=host)).body.decode()
            assert f'"http://{host}{place.mount}/@acme/tools/-/tools-1.1.0.tgz"' in text
            assert not [other for other in hosts if f"http://{other}/" in text and other != host]
    assert place.registry.asked(path) <= 2


async def test_a_foreign_name_is_refused_or_not_believed(place: Place) -> None:
    heard = await place.ask(TOOLS, YARN, host="evil.test")
    assert b"evil.test" not in heard.body
    assert heard.status == 421 or json.loads(heard.body)["versions"]["1.1.0"]["dist"]["tarball"].startswith(place.url)
