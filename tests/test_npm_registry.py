"""An npm mirror between a client and a registry on a real socket: what is not there, what is audited, what is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from mirror.errors import NotFound, OriginError, OriginUnreachable, TooLarge
from mirror.model import Headers, Request
from mirror.ports import Hop, Upload
from tests.conftest import World, send, take
from tests.instruments.origin import Response

MAKE = Callable[..., World]
CORGI = "application/vnd.npm.install-v1+json"
JSON = [("content-type", "application/json")]
BULK = "/-/npm/v1/security/advisories/bulk"


@pytest.fixture
async def npm(make_world: MAKE) -> AsyncIterator[World]:
    async with make_world(ecosystem="npm").open() as world:
        world.mirror = replace(world.mirror, upstreams=(world.origin.url("/npm"),), ttl=300.0)
        yield world


def packument(world: World, *versions: str) -> bytes:
    dists = {version: {"tarball": world.origin.url(f"/npm/x/-/x-{version}.tgz")} for version in versions}
    listed = {version: {"name": "x", "version": version, "readme": "", "dist": dist} for version, dist in dists.items()}
    return json.dumps({"name": "x", "dist-tags": {"latest": versions[-1]}, "versions": listed}).encode()


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("path", ["/x", "/x/1.0.0", "/-/package/x/dist-tags", "/-/npm/v1/keys", "/-/v1/search"])
async def test_what_the_origin_has_not_is_said_in_json(npm: World, path: str, status: int) -> None:
    for asked in ("/x", "/-/npm/v1/keys", "/-/v1/search"):
        npm.origin.route(f"/npm{asked}", status, [("content-type", "text/html")], b"<h1>none</h1>")
    for _ in range(2):  # from the origin, then from what is stored
        got = await npm.get(path, "")
        assert (got.reply.head.status, json.loads(got.body)) == (status, {"error": "Not found"})
        assert got.reply.head.headers.get("content-type") == "application/json"
        assert got.reply.head.headers.get("content-length") == str(len(got.body))
        await npm.settled()
    assert npm.origin.requests() == 1
    head = await npm.ask(path, "", method="HEAD")
    await head.source.close()
    assert (head.head.status, head.size) == (status, len(got.body))


async def test_a_tarball_that_is_gone_is_said_in_json(npm: World) -> None:
    npm.origin.route("/npm/x", headers=JSON, body=packument(npm, "1.0.0"))
    npm.origin.route("/npm/x/-/x-1.0.0.tgz", 404, [("content-type", "text/plain")], b"no")
    got = await npm.get("/x/-/x-1.0.0.tgz", "")
    assert (got.reply.head.status, json.loads(got.body)) == (404, {"error": "Not found"})


async def test_what_the_origin_says_in_json_stays(npm: World) -> None:
    npm.origin.route("/npm/x", 404, JSON, b'{"error":"unpublished"}')
    assert (await npm.get("/x", "")).body == b'{"error":"unpublished"}'


async def test_both_forms_and_their_parts_come_from_a_registry_that_has_one(npm: World) -> None:
    npm.origin.route("/npm/x", headers=JSON, body=packument(npm, "0.9.0", "1.0.0"))
    short = await npm.get("/x", "", accept=CORGI)
    assert short.reply.head.headers.get("content-type") == CORGI
    assert "readme" not in json.loads(short.body)["versions"]["1.0.0"]
    assert "Accept" in (short.reply.head.headers.get("vary") or "")
    full = await npm.get("/x", "")
    assert json.loads(full.body)["versions"]["1.0.0"]["readme"] == ""
    await npm.settled()
    asked = npm.origin.requests()
    assert json.loads((await npm.get("/x/0.9.0", "")).body)["version"] == "0.9.0"
    manifest = json.loads((await npm.get("/x/latest", "")).body)
    assert manifest["dist"]["tarball"] == "http://mirror.test/o/x/-/x-1.0.0.tgz"
    assert json.loads((await npm.get("/-/package/x/dist-tags", "")).body) == {"latest": "1.0.0"}
    assert npm.origin.requests() == asked
    assert [dict(record.headers)["accept"][:16] for record in npm.origin.log] == [CORGI[:16], "application/json"]


async def test_a_version_that_is_not_known_yet_is_looked_for_once(npm: World) -> None:
    npm.origin.route("/npm/x", headers=JSON, body=packument(npm, "1.0.0"))
    await npm.get("/x", "")
    await npm.settled()
    npm.origin.route("/npm/x", headers=JSON, body=packument(npm, "1.0.0", "2.0.0"))
    npm.clock.wind(10.0)
    assert json.loads((await npm.get("/x/2.0.0", "")).body)["version"] == "2.0.0"
    await npm.settled()
    for _ in range(3):
        with pytest.raises(NotFound, match=r"3\.0\.0"):
            await npm.get("/x/3.0.0", "")
    assert npm.origin.requests("/npm/x") == 2


async def test_a_tarball_asks_for_the_short_form(npm: World) -> None:
    npm.origin.route("/npm/x", headers=JSON, body=packument(npm, "1.0.0"))
    npm.origin.route("/npm/x/-/x-1.0.0.tgz", body=b"tar")
    assert (await npm.get("/x/-/x-1.0.0.tgz", "")).body == b"tar"
    (record,) = [record for record in npm.origin.log if record.path == "/npm/x"]
    assert dict(record.headers)["accept"].startswith(CORGI)


async def test_a_fault_of_the_origin_is_told_as_one(npm: World) -> None:
    npm.origin.route(f"/npm{BULK}", 500, JSON, b"{}")
    with pytest.raises(OriginError, match="the origin answered 500"):
        await send(npm, "POST", BULK, [b"{}"])


@pytest.mark.parametrize("status", [200, 400, 405, 503])
async def test_what_the_origin_says_of_an_audit_is_passed_on(npm: World, status: int) -> None:
    def respond(request: Request) -> Response:
        return Response(status, [*JSON, ("set-cookie", "a=b")], b'{"x":[]}')

    npm.origin.route(f"/npm{BULK}", body=respond)
    for count in (1, 2):
        got = await take(await send(npm, "POST", BULK, [b"{}"], authorization="Bearer secret", cookie="a=b"))
        assert (got.reply.head.status, got.body) == (status, b'{"x":[]}')
        assert "set-cookie" not in got.reply.head.headers
        assert npm.origin.requests(f"/npm{BULK}") == count
    fields = dict(npm.origin.log[0].headers)
    assert {"authorization", "cookie"}.isdisjoint(fields)


async def test_an_audit_that_nobody_can_make_is_no_clean_one(npm: World) -> None:
    npm.origin.down()
    with pytest.raises(OriginUnreachable) as error:
        await send(npm, "POST", BULK, [b"{}"])
    assert error.value.status == 502


async def test_an_audit_without_end_is_broken_off(npm: World) -> None:
    npm.origin.route(f"/npm{BULK}", headers=JSON, body=b"{}")
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 1 << 20
            yield b"x" * (1 << 20)

    with pytest.raises(TooLarge):
        await npm.engine.answer(npm.mirror, Request("POST", BULK, "", Headers()), Hop(Upload(None, endless())))
    assert given == 17 << 20
