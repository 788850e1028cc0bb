"""A packument of 40 MB in both forms, within bounds of memory, while others are answered; a download that is killed."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pytest

from mirror.model import Request
from tests.e2e import npm_house
from tests.e2e.npm_house import YARN, Place
from tests.instruments.answers import Response
from tests.instruments.clock import eventually
from tests.instruments.npm_faults import Fault
from tests.instruments.npm_registry import Registry
from tests.instruments.npm_world import CORGI, JSON, WORLD, Version, full, short
from tests.instruments.origin import Origin
from tests.instruments.server import Served, served

MB = 1_000_000
TOOLS = next(version for version in WORLD if version.package == "@acme/tools")


ANYWHERE = "http://registry.test/somewhere"


@cache  # the making of it takes a second, and it never changes
def large(media_type: str) -> bytes:
    """40 MB: 12,000 versions with much to say that an abbreviated document leaves out, and little that compresses."""
    document = full([Version("large")], {"latest": "1.0.11999"}, ANYWHERE)
    template = document["versions"].pop("1.0.0")
    for patch in range(12_000):
        number, digest = f"1.0.{patch}", hashlib.sha512(b"%d" % patch).hexdigest()
        dist = {"tarball": f"{ANYWHERE}/large/-/large-{number}.tgz", "shasum": digest[:40]}
        needs = {f"need-{digest[at : at + 8]}": f"^{patch % 90}.0.0" for at in range(0, 128, 8)}
        more = {"dist": dist, "dependencies": needs, "readme": "".join(sorted(digest)) * 18}
        document["versions"][number] = template | more | {"version": number, "_id": f"large@{number}"}
        document["time"][number] = "2020-01-01T00:00:00.000Z"
    return json.dumps(document if media_type == JSON else short(document)).encode()


def at(registry: str, media_type: str) -> bytes:
    return large(media_type).replace(ANYWHERE.encode(), registry.encode())


class House:
    """A mirror, its registry with the large package, and the process's memory before anybody asked for it."""

    def __init__(self, registry: Registry, server: Served) -> None:
        self.place = Place(server, registry)
        self.server = server
        forms = {media_type: at(registry.url, media_type) for media_type in (JSON, CORGI)}
        assert 38 * MB < len(forms[JSON]) < 46 * MB
        packed = {media_type: gzip.compress(body, 1, mtime=0) for media_type, body in forms.items() if registry.real}

        def respond(request: Request) -> Response:
            media_type = CORGI if registry.real and CORGI in (request.headers.get("accept") or "") else JSON
            if not registry.real:
                return Response(200, [("Content-Type", JSON)], forms[JSON])
            fields = [("Content-Type", media_type), ("Content-Encoding", "gzip"), ("ETag", f'"{media_type}"')]
            return Response(200, [*fields, ("Vary", "Accept-Encoding, Accept")], packed[media_type])

        registry.origin.route(f"{registry.prefix}/large", body=respond)


@pytest.fixture(params=["real", "poor"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with Origin() as origin:
        with served(tmp_path / "mirror", npm_house.config(origin, 1)) as server:
            yield House(Registry(origin, request.param, "/n0"), server)


def same(body: bytes, right: bytes) -> bool:
    """True where both are the same packument, its versions in the same order."""
    found, expected = json.loads(body), json.loads(right)
    assert list(found["versions"]) == list(expected["versions"])
    return bool(found == expected)


async def small_ones(place: Place, over: asyncio.Event) -> int:
    """Asks for what is small and stored until it is over; how many answers there were, all of them right."""
    right, count = place.ours("plain"), 0
    while not over.is_set():
        heard = await place.ask("/plain")
        assert (heard.status, json.loads(heard.body)) == (200, right)
        heard = await place.ask(TOOLS.path)
        assert (heard.status, heard.body) == (200, TOOLS.tarball)
        count += 1
    return count


@pytest.mark.row(34, at="a document of 40 MB is made while small ones are served; stalls are not timed")
async def test_a_packument_of_40_mb_is_right_in_both_forms_and_cheap_in_memory(house: House) -> None:
    place, over = house.place, asyncio.Event()
    await place.ask("/plain")
    await place.ask(TOOLS.path)
    before = house.server.peak()
    others = asyncio.create_task(small_ones(place, over))
    try:
        for fields in (("accept: application/json",), (YARN,), ("accept: application/json", "accept-encoding: gzip")):
            heard = await place.ask("/large", *fields)
            assert (heard.status, heard.whole) == (200, True)
            body = gzip.decompress(heard.body) if heard.fields.get("content-encoding") == "gzip" else heard.body
            media_type = CORGI if fields[0] == YARN else JSON
            assert heard.fields.get("content-type") == media_type
            assert await asyncio.to_thread(same, body, at(place.url, media_type))
    finally:
        over.set()
    assert await others > 0
    assert house.server.peak() - before < 250 * MB


@pytest.mark.row(1, at="npm: a kill at half of a file")
async def test_a_server_killed_in_mid_download_never_shows_half_a_tarball(tmp_path: Path) -> None:
    version = next(each for each in WORLD if each.name == "app@1.0.0")
    async with Origin() as origin:
        with served(tmp_path / "mirror", npm_house.config(origin, 1)) as server:
            place = Place(server, Registry(origin, "poor", "/n0"))
            await place.ask("/app")
            place.registry.befall(version.path, Fault("hold=50%"))
            reading = asyncio.create_task(place.ask(version.path))
            await eventually(lambda: origin.sent(place.mount + version.path) > 0)
            await asyncio.to_thread(server.kill)
            heard = (await asyncio.gather(reading, return_exceptions=True))[0]
            assert isinstance(heard, ConnectionError) or not heard.whole
            place.registry.origin.release(place.mount + version.path)
            await asyncio.to_thread(server.start)
            for _ in range(2):
                heard = await place.ask(version.path)
                assert (heard.status, heard.body) == (200, version.tarball)
            assert heard.fields.get("x-cache") == "HIT"
            assert place.registry.asked(version.path) == 2
            assert [path.name for path in (server.cache / "partial").rglob("*") if path.is_file()] == []
