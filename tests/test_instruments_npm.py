"""The fake npm registry answers as the real one and the poor one do, and its faults are on the wire as named."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator

import pytest

from tests.instruments.npm_faults import FAULTS, redirected
from tests.instruments.npm_registry import Registry
from tests.instruments.npm_world import CORGI, JSON, NOISE, SHORT, WORLD, Version
from tests.instruments.origin import Origin
from tests.instruments.raw import Heard, ask

ACCEPT = f"accept: {CORGI}"
TOOLS = next(version for version in WORLD if version.name == "@acme/tools@1.1.0")


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as origin:
        yield origin


async def test_the_real_one_has_two_forms_with_validators_and_compression(origin: Origin) -> None:
    registry = Registry(origin)
    full = await ask(origin, "/npm/@acme%2ftools")
    short = await ask(origin, "/npm/@acme%2Ftools", ACCEPT, "accept-encoding: gzip")
    assert json.loads(full.body) == registry.document("@acme/tools")
    assert json.loads(gzip.decompress(short.body)).keys() == SHORT
    assert (full.headers.get("content-type"), short.headers.get("content-type")) == (JSON, CORGI)
    for heard in (full, short):
        assert heard.headers.get("vary") == "Accept-Encoding, Accept"
        assert heard.headers.get("cache-control") == "public, max-age=300"
        again = await ask(origin, "/npm/@acme%2ftools", ACCEPT, f"if-none-match: {heard.headers.get('etag')}")
        assert again.status == (304 if heard is short else 200)
    assert (await ask(origin, "/npm/plain", "if-none-match: " + await tag(origin, "/npm/plain"))).headers.get(
        "vary"
    ) == "Accept-Encoding"


async def tag(origin: Origin, path: str) -> str:
    return (await ask(origin, path)).headers.get("etag") or ""


async def test_the_poor_one_has_the_full_form_and_tarballs_alone(origin: Origin) -> None:
    registry = Registry(origin, "poor")
    heard = await ask(origin, "/npm/@acme%2ftools", ACCEPT, "accept-encoding: gzip")
    assert json.loads(heard.body) == registry.document("@acme/tools")
    names = {name.lower() for name, _ in heard.headers.pairs}
    assert not names & {"etag", "last-modified", "cache-control", "vary", "content-encoding", "set-cookie"}
    file = await ask(origin, "/npm" + TOOLS.path, "range: bytes=0-9")
    assert (file.status, file.body, file.headers.get("content-type")) == (200, TOOLS.tarball, "application/x-gzip")
    for path in ("/plain/latest", "/-/package/plain/dist-tags", "/-/npm/v1/keys", "/-/v1/search"):
        assert (await ask(origin, "/npm" + path)).status == 404
    assert (await ask(origin, "/npm/-/npm/v1/security/advisories/bulk", method="POST")).status == 405


async def test_a_tarball_is_what_its_document_says(origin: Origin) -> None:
    registry = Registry(origin)
    for version in WORLD:
        dist = registry.document(version.package)["versions"][version.number]["dist"]
        heard = await ask(origin, dist["tarball"].removeprefix(origin.url()))
        assert hashlib.sha1(heard.body).hexdigest() == dist["shasum"]  # noqa: S324
        assert ("integrity" in dist) == version.integrity
        with tarfile.open(fileobj=io.BytesIO(heard.body)) as archive:
            noise = archive.extractfile("package/data.bin")
            assert noise is not None
            assert noise.read() == version.noise
    part = await ask(origin, "/npm" + TOOLS.path, "range: bytes=5-9")
    assert (part.status, part.body) == (206, TOOLS.tarball[5:10])


async def test_what_is_published_later_is_in_all_documents(origin: Origin) -> None:
    registry = Registry(origin)
    registry.publish(Version("@acme/tools", "3.0.0"), "latest")
    for path in ("/@acme%2ftools/latest", "/@acme%2ftools/3.0.0"):
        assert json.loads((await ask(origin, "/npm" + path)).body)["version"] == "3.0.0"
    tags = json.loads((await ask(origin, "/npm/-/package/@acme%2ftools/dist-tags")).body)
    assert tags == {"latest": "3.0.0", "next": "2.0.0-beta.1"} == registry.document("@acme/tools")["dist-tags"]


def broken(heard: Heard) -> bool:
    return heard.reset or len(heard.body) < int(heard.headers.get("content-length") or NOISE)


async def test_each_fault_is_on_the_wire_once_and_then_no_more(origin: Origin) -> None:
    registry, path = Registry(origin), "/npm" + TOOLS.path
    for name in FAULTS:
        if name in ("silence", "slow drip"):
            continue
        registry.befall(TOOLS.path, FAULTS[name])
        try:
            heard = await ask(origin, path)
        except IndexError:  # no head at all
            assert name == "closed before the head"
        else:
            right = (heard.status, heard.body, heard.headers.get("content-encoding")) == (200, TOOLS.tarball, None)
            assert broken(heard) or not right or name == "etag flips", name
        assert TOOLS.tarball in (await ask(origin, path)).body  # or in its one chunk


async def test_a_redirect_leads_where_it_says_for_as_long_as_it_says(origin: Origin) -> None:
    registry = Registry(origin)
    registry.befall("/plain", redirected("http://other.test/plain"), 2)
    heard = [await ask(origin, "/npm/plain") for _ in range(3)]
    assert [each.status for each in heard] == [302, 302, 200]
    assert heard[0].headers.get("location") == "http://other.test/plain"
