"""Answers that break off, fail or lead away: the client is told, nothing of them is kept, and no secret goes along."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mirror.errors import OriginError, Truncated
from mirror.model import Headers
from mirror.operations import Selection
from mirror.origin import Origin as Client
from mirror.origin import OriginSettings
from mirror.reach import Route
from tests.conftest import World
from tests.instruments.tls import certified
from tests.origin.scripted import RawOrigin, body
from tests.test_withheld import FILE, GOOD, announce

SIZE = 1_000_000
ENDS = {
    "announced length": "cut={0}%25",
    "in a chunk": "chunked=1&cut={0}%25",
    "reset": "reset={0}%25",
    "reset in a chunk": "chunked=1&reset={0}%25",
}
PLACES = [0, 1, 50, 90, 99]
"""Percents of the body that come."""


@pytest.fixture
async def raw(tmp_path: Path) -> AsyncIterator[Callable[[bool], asyncio.Future[RawOrigin]]]:
    """Starts origins on raw sockets, by https where that is asked for."""
    opened: list[RawOrigin] = []

    async def opening(secure: bool) -> RawOrigin:
        tls = None
        if secure:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(*certified(tmp_path, "server"))
        opened.append(RawOrigin())
        await opened[-1].start(tls)
        return opened[-1]

    yield lambda secure: asyncio.ensure_future(opening(secure))
    for origin in opened:
        await origin.stop()


@pytest.mark.row(3)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("end", ENDS)
async def test_a_body_that_breaks_off_and_cannot_be_gone_on_with_is_an_error_and_not_kept(
    world: World, end: str, place: int
) -> None:
    """Seen red: a broken connection is taken for the end of a body, and its bytes are not counted."""
    query = f"cc=max-age=3600&ranges=0&etag=flip&lm=none&{ENDS[end].format(place)}"
    try:
        got = await world.get(f"/obj/a/{SIZE}", query)
    except OriginError:
        got = None  # before the head
    assert got is None or (got.broke is not None and len(got.body) < SIZE)
    await world.settled()
    assert not world.blobs()


@pytest.mark.row(3)
@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 1000\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n400\r\nhello"],
    ids=["length", "chunks"],
)
async def test_tls_that_ends_without_its_goodbye_is_no_end(
    raw: Callable[[bool], asyncio.Future[RawOrigin]], tmp_path: Path, head: bytes
) -> None:
    """Seen red: as above."""
    upstream = await raw(True)
    upstream.scripts["/x"] = b"HTTP/1.1 200 OK\r\n" + head
    upstream.held.add("/x")
    client = Client(OriginSettings(ca_file=str(tmp_path / "server.pem")))
    await client.open()
    async with await client.fetch([f"https://localhost:{upstream.port}/x"]) as answer:
        chunks = answer.chunks()
        assert await anext(chunks) == b"hello"
        for writer in upstream._writers:
            writer.get_extra_info("socket").shutdown(socket.SHUT_WR)  # below TLS
        with pytest.raises(Truncated):
            await anext(chunks)
    await client.close()


@pytest.mark.row(4)
async def test_a_body_that_ends_with_its_connection_is_kept_where_its_digest_is_known(tmp_path: Path) -> None:
    """Seen red: and the other way round: none is stored, though the digest is known."""
    async with World(tmp_path / "cache", ecosystem="pypi").open() as world:
        await announce(world, GOOD)
        world.origin.route(FILE, body=GOOD, shape="close=1")
        assert (await world.get(f"/files{FILE}", "")).body == GOOD
        assert (await world.get(f"/files{FILE}", "")).reply.outcome.hit


async def failing(world: World, path: str) -> int:
    """The status that a client is told."""
    try:
        return (await world.get(path, "")).reply.head.status
    except OriginError as exc:
        return exc.status


@pytest.mark.row(19)
@pytest.mark.parametrize("status", [500, 502, 503, 429])
@pytest.mark.parametrize(("ecosystem", "path"), [("http", "/x"), ("pypi", "/simple/x/"), ("npm", "/x"), ("apt", "/x")])
async def test_a_failure_is_not_kept(make_world: Callable[..., World], ecosystem: str, path: str, status: int) -> None:
    """Seen red: failures of an upstream of packages are stored; failures of any upstream are stored."""
    async with make_world(ecosystem=ecosystem).open() as world:
        fields = [] if ecosystem == "http" else [("Cache-Control", "max-age=3600")]  # that http would have to obey
        upstream = path.removeprefix("/simple")
        world.origin.route(upstream, status, fields)
        assert await failing(world, path) in (status, 502)
        await world.settled()
        assert not world.blobs()
        before = world.origin.requests(upstream)
        world.clock.wind(150)  # it may rest for two minutes
        assert await failing(world, path) in (status, 502)
        assert world.origin.requests(upstream) > before > 0


@pytest.mark.row(19)
@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_missing_is_remembered_for_a_minute_and_can_be_purged(
    make_world: Callable[..., World], status: int
) -> None:
    """Seen red: a 404 is remembered for 90 s."""
    async with make_world(ecosystem="pypi").open() as world:
        world.origin.route("/x/", status)
        for _ in range(3):
            assert (await world.get("/simple/x/", "")).reply.head.status == status
        assert world.origin.requests("/x/") == 1
        await world.operations.purge(Selection(prefixes=("/o/",)))
        await world.get("/simple/x/", "")
        assert world.origin.requests("/x/") == 2
        world.clock.wind(60)
        await world.get("/simple/x/", "")
        assert world.origin.requests("/x/") == 3


SECRETS = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-api-key",
    "x-auth-token",
    "private-token",
    "x-amz-security-token",
    "referer",
]


@pytest.mark.row(24)
@pytest.mark.parametrize("configured", [True, False])
@pytest.mark.parametrize("name", SECRETS)
async def test_no_secret_goes_along_to_another_host(
    raw: Callable[[bool], asyncio.Future[RawOrigin]], name: str, configured: bool
) -> None:
    """`configured`: it is the mirror's own, for this upstream; else what a client sent.

    Seen red: a mirror's credentials go along with a redirect; a client's fields go along with a redirect.
    """
    first, other = await raw(False), await raw(False)
    first.scripts["/x"] = f"HTTP/1.1 302 F\r\nLocation: {other.url}/hello\r\nContent-Length: 0\r\n\r\n".encode()
    client = Client(OriginSettings())
    await client.open()
    sent = Headers.of({} if configured else {name: "canary"})
    route = Route((name, "canary")) if configured else Route()
    assert await body(await client.fetch([f"{first.url}/x"], headers=sent, route=route)) == b"hello"
    assert len(other.asked) == 1
    assert b"canary" not in other.asked[0]
    assert not configured or b"canary" in first.asked[0]
    await client.close()
