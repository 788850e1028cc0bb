"""What an npm mirror answers itself: pings and whoami, a no to all that writes or logs in, requests for elsewhere."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.e2e.npm_house import YARN, Place, Town, problem
from tests.instruments.call import Call, Heard
from tests.instruments.npm_world import WORLD

pytestmark = pytest.mark.asyncio(loop_scope="module")

CORE = next(version for version in WORLD if version.package == "@acme/core")
WRITES = [
    ("PUT", "/-/user/org.couchdb.user:someone"),
    ("POST", "/-/v1/login"),
    ("POST", "/-/npm/v1/tokens"),
    ("GET", "/-/npm/v1/tokens"),
    ("DELETE", "/-/npm/v1/tokens/token/abc"),
    ("GET", "/-/npm/v1/user"),
    ("POST", "/-/npm/v1/user"),
    ("PUT", "/plain"),
    ("PUT", "/@acme%2ftools"),
    ("DELETE", "/plain/-rev/1-world"),
    ("DELETE", "/plain/-/plain-1.0.0.tgz/-rev/1-world"),
    ("PUT", "/-/package/plain/dist-tags/latest"),
    ("DELETE", "/-/package/plain/dist-tags/latest"),
    ("POST", "/-/stage/plain"),
    ("PUT", "/-/stage/plain"),
    ("POST", "/-/npm/v1/oidc/token/exchange/package/plain"),
    ("POST", "/-/package/plain/trust"),
    ("POST", "/plain"),
    ("PATCH", "/plain"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_what_writes_or_logs_in_is_refused_and_reaches_nobody(place: Place, method: str, path: str) -> None:
    body = b'{"name":"plain"}' if method != "GET" else b""
    heard = await place.ask(path, "Content-Type: application/json", method=method, body=body)
    assert heard.status in (405, 403)
    assert "read-only" in problem(heard)
    assert not asked(place)


async def test_pings_are_answered_here(place: Place) -> None:
    for path in ("/-/ping", "/-/ping?write=true"):
        heard = await place.ask(path)
        assert (heard.status, json.loads(heard.body)) == (200, {})
        assert heard.fields.get("content-type") == "application/json"
    assert not asked(place)


async def test_nobody_is_logged_in(place: Place) -> None:
    heard = await place.ask("/-/whoami", "Authorization: Bearer something")
    if heard.status == 200:
        assert json.loads(heard.body) == {"username": "anonymous"}
    else:
        assert heard.status == 401
        problem(heard)
    assert not asked(place)


@pytest.mark.parametrize("path", ["/-/nothing", "/plain/1/2/3", "/-/npm/v1/nothing", "/@acme", "/"])
async def test_what_there_is_not_is_a_404_that_says_so(place: Place, path: str) -> None:
    heard = await place.ask(path)
    assert heard.status == 404
    problem(heard)


@pytest.mark.row(19, at="npm: 404 once for three requests")
async def test_a_404_is_said_again_for_a_while_and_head_says_it_too(place: Place) -> None:
    for method in ("GET", "GET", "HEAD"):
        heard = await place.ask("/@acme%2fmissing", method=method)
        assert heard.status == 404
    assert place.registry.asked("/@acme%2fmissing") == 1


@pytest.mark.parametrize(
    "directive",
    ["Cache-Control: no-cache", "Cache-Control: no-store", "Cache-Control: max-age=0", "Pragma: no-cache"],
)
async def test_clients_that_want_it_new_do_not_reach_upstream_each_time(place: Place, directive: str) -> None:
    for path, most in (("/@acme%2ftools", 2), (CORE.path, 1)):
        await place.ask(path)
        heard = await asyncio.gather(*(place.ask(path, YARN, directive) for _ in range(5)))
        heard += [await place.ask(path, directive) for _ in range(5)]
        assert {each.status for each in heard} == {200}
        assert 1 <= place.registry.asked(path) <= most + (path != CORE.path)  # of two forms


async def test_a_validation_after_the_lifetime_is_one_request_with_our_own_conditions(town: Town) -> None:
    place = town.place("real", stale=True)
    await place.ask("/plain")
    await place.ask("/plain", 'If-None-Match: "of-the-client"', "Range: bytes=0-1", "Cookie: client=1")
    record = place.registry.origin.log.of(place.mount + "/plain")[-1]
    fields = dict(record.headers)
    assert record.status == 304
    assert "of-the-client" not in fields["if-none-match"]
    assert not {"range", "cookie", "authorization"} & fields.keys()


async def test_what_is_not_meant_for_this_server_is_refused(place: Place) -> None:
    port = place.server.port
    lines = [
        f"GET http://elsewhere.example.com{place.mount}/plain HTTP/1.1\r\nHost: elsewhere.example.com",
        f"GET https://elsewhere.example.com{place.mount}/plain HTTP/1.1\r\nHost: 127.0.0.1:{port}",
        "CONNECT elsewhere.example.com:443 HTTP/1.1\r\nHost: elsewhere.example.com:443",
        f"CONNECT 127.0.0.1:{place.registry.origin.port} HTTP/1.1\r\nHost: 127.0.0.1",
    ]
    for line in lines:
        heard = await asyncio.to_thread(said, port, f"{line}\r\nConnection: close\r\n\r\n".encode())
        assert heard is None or 400 <= heard.status < 500, line
    assert not asked(place)


def said(port: int, request: bytes) -> Heard | None:
    """None where the connection is closed without an answer."""
    try:
        with Call(port, request) as call:
            return call.rest(call.head())
    except ConnectionError:
        return None


def asked(place: Place) -> list[str]:
    """The paths that this mount's registry was asked for."""
    paths = [record.path for record in place.registry.origin.log]
    return [path for path in paths if path.startswith(place.mount + "/")]
