"""Nothing that one client writes into its request changes what the next client gets.

The origin repeats in each document what it was sent, as a careless one does: what must not reach it, and so everybody,
would be seen there. Each combination has names of its own, cold, on a mirror of each ecosystem.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from mirror.model import Request
from tests.instruments.origin import Origin, Response
from tests.instruments.server import Served, served

CONFIG = """
hosts = ["other.test"]
[cache]
min_free = "1MB"
[mirrors.o]
ecosystem = "http"
upstream = "{0}/http"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{0}/simple"
[mirrors.npm]
ecosystem = "npm"
upstream = "{0}/npm"
[mirrors.apt]
ecosystem = "apt"
upstream = "{0}/archive"
[mirrors.get]
ecosystem = "any"
allow = ["127.0.0.1:{1}"]
allow_private = true
"""
EVIL = "evil.test"
POISONS = {
    "a foreign host": ["Host: evil.test"],
    "a host of ours that is another's": ["Host: other.test"],
    "a foreign port": ["Host: localhost:1"],
    "x-forwarded-host": ["X-Forwarded-Host: evil.test"],
    "two x-forwarded-host": ["X-Forwarded-Host: localhost", "X-Forwarded-Host: evil.test"],
    "x-forwarded-proto": ["X-Forwarded-Proto: gopher-evil"],
    "x-forwarded-scheme": ["X-Forwarded-Scheme: evil"],
    "x-forwarded-port": ["X-Forwarded-Port: 666"],
    "x-forwarded-prefix": ["X-Forwarded-Prefix: /evil"],
    "x-forwarded-for": ["X-Forwarded-For: 127.0.0.1, evil.test"],
    "forwarded": ["Forwarded: for=evil;host=evil.test;proto=https"],
    "x-host": ["X-Host: evil.test", "X-Forwarded-Server: evil.test"],
    "x-original-url": ["X-Original-URL: /-/api/purge-evil"],
    "x-rewrite-url": ["X-Rewrite-URL: /evil"],
    "x-http-method-override": ["X-HTTP-Method-Override: DELETE-evil", "X-Method-Override: evil"],
    "front-end-https": ["Front-End-Https: evil", "X-Forwarded-Ssl: evil"],
    "client addresses": ["True-Client-IP: evil.test", "X-Real-IP: evil.test", "X-Client-IP: evil.test"],
    "a proxy's field": ["Proxy-Authorization: Basic evil", "Proxy-Connection: evil"],
    "a cookie": ["Cookie: session=evil"],
    "credentials": ["Authorization: Bearer evil"],
    "hop by hop accept": ["Connection: Accept, Accept-Encoding, evil"],
    "hop by hop host": ["Connection: Host, close"],
    "an upgrade": ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: evil"],
    "trailers": ["TE: trailers, evil", "Trailer: evil"],
    "an unknown coding": ["Accept-Encoding: evil"],
    "no coding at all": ["Accept-Encoding: identity;q=0, *;q=0"],
    "gzip": ["Accept-Encoding: gzip"],
    "brotli alone": ["Accept-Encoding: br"],
    "an unknown type": ["Accept: application/evil"],
    "json": ["Accept: application/vnd.pypi.simple.v1+json"],
    "the short form": ["Accept: application/vnd.npm.install-v1+json"],
    "accept lines": ["Accept: text/html", "Accept: application/json", "Accept: */*"],
    "a language": ["Accept-Language: evil"],
    "a range": ["Range: bytes=5-9"],
    "a range and a condition": ["Range: bytes=0-0", 'If-Range: "evil"'],
    "many ranges": ["Range: bytes=0-0,2-2,4-4"],
    "any tag": ["If-None-Match: *"],
    "a tag that must match": ['If-Match: "evil"'],
    "dates": ["If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT", "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"],
    "directives": ["Cache-Control: no-store, no-transform, max-age=0", "Pragma: no-cache"],
    "only if cached": ["Cache-Control: only-if-cached"],
    "a loop": ["Via: 1.1 mirror, 1.1 evil.test", "Max-Forwards: 0"],
    "an origin": ["Origin: http://evil.test", "Referer: http://evil.test/", "Sec-Fetch-Site: cross-site"],
    "a user agent": ["User-Agent: evil"],
    "an expectation": ["Expect: 100-continue"],
    "a large field": ["X-Large: " + "evil" * 2000],
    "bytes beyond ascii": ["X-Odd: \xe9vil\xff", "X-Tab:\tevil"],
    "surrogates": ["Surrogate-Capability: evil", "X-Varnish: evil", "CDN-Loop: evil", "X-Amz-Evil: evil"],
    "an empty host field name": ["X-Forwarded-Host:", "X-Evil:"],
}
# On `http` and `any` mirrors much of a request is forwarded by right (RFC 9110 §7.6.1): it is the origin that must say
# what its answer varies by. What follows is not.
_NOT_FORWARDED = ("host", "forwarded", "front-end-https", "true-client-ip", "authorization", "te", "trailer")
_NOT_FORWARDED_PREFIXES = (
    "if-",
    "proxy-",
    "x-forwarded-",
    "x-host",
    "x-http-",
    "x-method-",
    "x-original-",
    "x-r",
    "x-c",
)


def seen(request: Request) -> str:
    """What a careless origin repeats."""
    pairs = request.headers.pairs
    if not request.path.startswith(("/simple/", "/npm/")):  # a cold file is begun where the first client wants it
        pairs = tuple(pair for pair in pairs if pair[0] != "range")
    if request.path.startswith(("/http/", "/any/")):
        pairs = tuple(
            pair for pair in pairs if pair[0] in _NOT_FORWARDED or pair[0].startswith(_NOT_FORWARDED_PREFIXES)
        )
    return " ".join(f"{name}={value}" for name, value in pairs)


def documents(origin: Origin, name: str) -> None:
    """What there is by that name at each upstream."""

    def route(path: str, content_type: str, body: Callable[[Request], str]) -> None:
        def respond(request: Request) -> Response:
            fields = [("Content-Type", content_type), ("Cache-Control", "max-age=3600")]
            return Response(200, fields, body(request).encode())

        origin.route(path, body=respond)

    def packument(request: Request) -> str:
        tarball = origin.url(f"/npm/{name}/-/{name}-1.0.0.tgz")
        version = {"name": name, "version": "1.0.0", "dist": {"tarball": tarball}}
        return json.dumps({"name": name, "readme": seen(request), "versions": {"1.0.0": version}})

    page = f'<a href="/files/{name}-1.0.zip" title="{{0}}">{name}-1.0.zip</a>'
    route(f"/simple/{name}/", "text/html", lambda request: page.format(seen(request)))
    route(f"/npm/{name}", "application/json", packument)
    route(f"/archive/pool/{name}_1_all.deb", "application/x-deb", lambda request: f"!<arch>\n{seen(request)}")
    route(f"/http/{name}", "text/plain", seen)
    route(f"/any/{name}", "text/plain", seen)


def addresses(origin: Origin, name: str) -> list[str]:
    pool = f"/apt/pool/{name}_1_all.deb"
    return [
        f"/o/{name}",
        f"/pypi/simple/{name}/",
        f"/npm/{name}",
        pool,
        f"/get/http/127.0.0.1:{origin.port}/any/{name}",
    ]


def ask(server: Served, target: str, fields: list[str]) -> tuple[str, dict[str, str], bytes]:
    """Status line, fields and body of an answer on a connection of its own."""
    hosts = [] if any(field.lower().startswith("host:") for field in fields) else ["Host: localhost"]
    head = "\r\n".join([f"GET {target} HTTP/1.1", *hosts, *fields, "Connection: close", "", ""])
    got = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head.encode("latin-1"))
        while chunk := connection.recv(1 << 16):
            got += chunk
    text, _, body = got.partition(b"\r\n\r\n")
    first, *lines = text.decode("latin-1").split("\r\n")
    found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return first, found, body


def plain(server: Served, target: str, name: str) -> tuple[str, dict[str, str], bytes]:
    """What a client gets that wants nothing special, less what differs by name and time."""
    status, fields, body = ask(server, target, [])
    if fields.get("transfer-encoding") == "chunked":
        body = b"".join(body.split(b"\r\n")[1::2])
    varying = ("age", "date", "last-modified", "etag", "content-length", "cache-status", "x-cache", "transfer-encoding")
    kept = {field: value for field, value in fields.items() if field not in varying}
    return status, kept, body.replace(name.encode(), b"NAME")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Origin, Served]]:
    async with Origin() as origin:
        folder: Path = tmp_path_factory.mktemp("poison")
        with served(folder, CONFIG.format(origin.url(), origin.port)) as server:
            yield origin, server
            assert "Traceback" not in server.log()


@pytest.mark.row(42)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("poison", POISONS)
async def test_what_one_client_writes_is_not_what_the_next_one_gets(world: tuple[Origin, Served], poison: str) -> None:
    """Seen red: X-Forwarded-* of a client goes to the upstream."""
    origin, server = world
    at = list(POISONS).index(poison)
    clean, name = f"clean{at:03}", f"touch{at:03}"
    documents(origin, clean)
    documents(origin, name)
    for target, other in zip(addresses(origin, name), addresses(origin, clean), strict=True):
        await asyncio.to_thread(ask, server, target, POISONS[poison])
        got = await asyncio.to_thread(plain, server, target, name)
        again = await asyncio.to_thread(plain, server, target, name)
        assert got == again == await asyncio.to_thread(plain, server, other, clean)
        assert got[0] == "HTTP/1.1 200 OK"
        assert b"evil" not in got[2]


@pytest.mark.row(42, at="names of the server, codings and forms")
@pytest.mark.asyncio(loop_scope="module")
async def test_the_base_url_of_one_client_is_not_the_next_ones(world: tuple[Origin, Served]) -> None:
    """Seen red: any Host stands in the addresses of a document."""
    origin, server = world
    documents(origin, "based")
    for _ in range(2):
        for host in (f"localhost:{server.port}", "other.test", f"127.0.0.1:{server.port}", "evil.test"):
            _, _, body = await asyncio.to_thread(ask, server, "/npm/based", [f"Host: {host}"])
            shown = host if host != "evil.test" else f"127.0.0.1:{server.port}"
            tarball = json.loads(body)["versions"]["1.0.0"]["dist"]["tarball"]
            assert tarball == f"http://{shown}/npm/based/-/based-1.0.0.tgz"


@pytest.mark.row(42, at="names of the server, codings and forms")
@pytest.mark.asyncio(loop_scope="module")
async def test_the_coding_and_the_form_of_one_client_are_not_the_next_ones(world: tuple[Origin, Served]) -> None:
    origin, server = world
    documents(origin, "coded")
    json_type, html = "application/vnd.pypi.simple.v1+json", "text/html"
    plain_bodies, tags = {}, set()
    for _ in range(2):
        for accept in (json_type, html):
            for coding in ("gzip", "identity"):
                fields = [f"Accept: {accept}", f"Accept-Encoding: {coding}"]
                _, found, body = await asyncio.to_thread(ask, server, "/pypi/simple/coded/", fields)
                assert found.get("content-encoding", "identity") == coding
                assert {"accept", "accept-encoding"} <= {part.strip().lower() for part in found["vary"].split(",")}
                tags.add(found["etag"])
                text = gzip.decompress(body) if coding == "gzip" else body
                assert plain_bodies.setdefault(found["content-type"], text) == text
    assert len(tags) == 2 * len(plain_bodies)
