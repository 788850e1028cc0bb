"""The simple API through the cache: one stored page for all clients, and nothing announced that is not served."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from mirror.errors import Mismatch, NotFound
from mirror.model import Headers
from tests.conftest import Got, World

JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
PIP = f"{JSON}, {V1_HTML}; q=0.1, text/html; q=0.01"
PAGE = "/simple/six/"
FILE = "/packages/aa/bb/six-1.0-py3-none-any.whl"
WHEEL, METADATA = b"PK\x03\x04 a wheel", b"Metadata-Version: 2.1\nName: six\nVersion: 1.0\n"
SERIAL = ("X-PyPI-Last-Serial", "42")


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def listed(**keys: Any) -> dict[str, Any]:
    file = {"filename": FILE.rpartition("/")[2], "url": FILE, "hashes": {"sha256": sha256(WHEEL)}, "size": len(WHEEL)}
    keys = {name.replace("_", "-"): value for name, value in keys.items()}
    return {"meta": {"api-version": "1.4"}, "name": "six", "versions": ["1.0"], "files": [file | keys]}


def offer(world: World, document: dict[str, Any] | str) -> None:
    """The page, as an index that has only that form sends it."""
    sent = "text/html" if isinstance(document, str) else JSON
    body = document if isinstance(document, str) else json.dumps(document)
    tag = ("ETag", f'"{sha256(body.encode())}"')
    world.origin.route(PAGE, headers=[("Content-Type", sent), tag, SERIAL], body=body.encode())


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[World]:
    """A `pypi` mirror of an origin with one project of one wheel that has a `.metadata`."""
    async with World(tmp_path / "cache", ecosystem="pypi").open() as world:
        world.mirror = replace(world.mirror, upstreams=(world.origin.url("/simple"),), ttl=600.0)
        offer(world, listed(core_metadata={"sha256": sha256(METADATA)}))
        world.origin.route(FILE, body=WHEEL)
        world.origin.route(FILE + ".metadata", body=METADATA)
        yield world


def fields(got: Got) -> Headers:
    return got.reply.head.headers


async def test_clients_of_all_forms_share_one_stored_page(index: World) -> None:
    tags = {}
    for accept, form in ((PIP, JSON), (V1_HTML, f"{V1_HTML}; charset=utf-8"), ("", "text/html; charset=utf-8")):
        got = await index.get(PAGE, "", accept=accept)
        assert (fields(got).get("content-type"), fields(got).get("x-pypi-last-serial")) == (form, "42")
        tags[form] = fields(got).get("etag")
    assert (index.origin.requests(PAGE), len(index.blobs())) == (1, 1)
    assert tags[JSON] not in (None, tags["text/html; charset=utf-8"])
    assert Headers(index.origin.log[0].headers).get("accept") == f"{JSON}, {V1_HTML};q=0.2, text/html;q=0.01"


async def test_an_index_that_has_only_html_gives_json_to_who_wants_it(index: World) -> None:
    offer(index, f'<a href="{FILE}#sha256={sha256(WHEEL)}" data-requires-python="&gt;=3">six</a>')
    got = await index.get(PAGE, "", accept=PIP)
    assert fields(got).get("content-type") == JSON
    (file,) = json.loads(got.body)["files"]
    assert (file["requires-python"], "core-metadata" in file) == (">=3", False)
    assert (await index.get(urljoin(PAGE, file["url"]), "")).body == WHEEL
    # Nothing was said of it, but it is there, and a client may try.
    assert (await index.get(urljoin(PAGE, file["url"]) + ".metadata", "")).body == METADATA


async def test_announced_metadata_is_served_and_its_digest_fits(index: World) -> None:
    (file,) = json.loads((await index.get(PAGE, "", accept=PIP)).body)["files"]
    got = await index.get(urljoin(PAGE, file["url"]) + ".metadata", "")
    assert file["core-metadata"] == file["dist-info-metadata"] == {"sha256": sha256(got.body)}
    assert fields(got).get("etag") == f'"sha256-{sha256(METADATA)}"'


async def test_metadata_of_another_digest_is_not_served_as_whole(index: World) -> None:
    index.origin.route(FILE + ".metadata", body=METADATA[:-1] + b"!")
    with pytest.raises(Mismatch):
        await index.get(f"/files{FILE}.metadata", "")


@pytest.mark.parametrize("signed", [True, False])
async def test_a_signature_is_served_where_the_page_says_that_there_is_one(index: World, signed: bool) -> None:
    offer(index, listed(gpg_sig=signed))
    index.origin.route(FILE + ".asc", body=b"-----BEGIN PGP SIGNATURE-----")
    if not signed:
        with pytest.raises(NotFound):
            await index.get(f"/files{FILE}.asc", "")
        return
    got = await index.get(f"/files{FILE}.asc", "")
    assert (got.body, "immutable" in (fields(got).get("cache-control") or "")) == (
        b"-----BEGIN PGP SIGNATURE-----",
        True,
    )


async def test_a_quarantined_projects_files_are_not_fetched_any_more(index: World) -> None:
    await index.get(PAGE, "", accept=PIP)
    offer(index, listed() | {"project-status": {"status": "quarantined"}})
    index.clock.wind(601)
    assert json.loads((await index.get(PAGE, "", accept=PIP)).body)["files"] == []
    with pytest.raises(NotFound):
        await index.get(f"/files{FILE}", "")
    assert index.origin.requests(FILE) == 0


async def test_provenance_passes_as_it_is(index: World) -> None:
    path = "/integrity/six/1.0/six-1.0-py3-none-any.whl/provenance"
    sent = [("Content-Type", "application/vnd.pypi.integrity.v1+json")]
    index.origin.route(path, headers=sent, body=b'{ "version": 1 }')
    got = await index.get(path, "")
    assert (got.body, fields(got).get("content-type")) == (b'{ "version": 1 }', sent[0][1])
    await index.get(path, "")
    assert index.origin.requests(path) == 1
    index.clock.wind(3601)
    await index.get(path, "")
    assert index.origin.requests(path) == 2
