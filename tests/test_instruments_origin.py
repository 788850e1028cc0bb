"""The origin without faults is a proper HTTP/1.1 origin, and its log tells the truth."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from mirror.model import Request
from tests.instruments import bodies
from tests.instruments.clock import eventually
from tests.instruments.origin import Origin, Response, origin_process
from tests.instruments.raw import ask, dial, until

WHOLE = bodies.body("s", 0, 1000)
OBJECT = "/obj/s/1000"


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as running:
        yield running


async def test_an_object_is_sent_with_its_validators(origin: Origin) -> None:
    heard = await ask(origin, OBJECT)
    assert (heard.status, heard.body, heard.reset) == (200, WHOLE, False)
    names = ["date", "etag", "last-modified", "content-type", "accept-ranges", "content-length", "connection"]
    assert [name for name, _ in heard.headers] == names


async def test_a_head_has_the_fields_and_no_body(origin: Origin) -> None:
    heard = await ask(origin, OBJECT, method="HEAD")
    assert (heard.status, heard.body, heard.headers.get("content-length")) == (200, b"", "1000")


async def test_a_connection_is_kept(origin: Origin) -> None:
    with await dial(origin, OBJECT) as sock:
        first, _ = await until(sock, 1200)
        await asyncio.get_running_loop().sock_sendall(sock, f"GET {OBJECT} HTTP/1.1\r\n\r\n".encode())
        second, _ = await until(sock, 1200)
    assert first.endswith(WHOLE)
    assert second.endswith(WHOLE)
    assert origin.peak == 1


RANGES = [
    ("0-99", 206, "bytes 0-99/1000", WHOLE[:100]),
    ("990-", 206, "bytes 990-999/1000", WHOLE[990:]),
    ("-10", 206, "bytes 990-999/1000", WHOLE[990:]),
    ("-5000", 206, "bytes 0-999/1000", WHOLE),
    ("990-5000", 206, "bytes 990-999/1000", WHOLE[990:]),
    ("1000-", 416, "bytes */1000", b""),
    ("-0", 416, "bytes */1000", b""),
    ("9-5", 200, None, WHOLE),
    ("0-1,5-6", 200, None, WHOLE),
    ("a-b", 200, None, WHOLE),
]


@pytest.mark.parametrize(("wanted", "status", "content_range", "body"), RANGES)
async def test_a_range_is_answered(
    origin: Origin, wanted: str, status: int, content_range: str | None, body: bytes
) -> None:
    heard = await ask(origin, OBJECT, f"Range: bytes={wanted}")
    assert (heard.status, heard.headers.get("content-range"), heard.body) == (status, content_range, body)
    assert origin.log[0].range == f"bytes={wanted}"


async def test_conditions_are_answered(origin: Origin) -> None:
    plain, weak = await ask(origin, OBJECT), await ask(origin, f"{OBJECT}?etag=weak")
    tag, date, loose = plain.headers.get("etag"), plain.headers.get("last-modified"), weak.headers.get("etag")
    past = "Mon, 01 Jan 2001 00:00:00 GMT"
    for target, fields, status in [
        (OBJECT, [f"If-None-Match: {tag}"], 304),
        (OBJECT, [f'If-None-Match: "x", W/{tag}'], 304),
        (OBJECT, ["If-None-Match: *"], 304),
        (OBJECT, ['If-None-Match: "x"', f"If-Modified-Since: {date}"], 200),
        (OBJECT, [f"If-Modified-Since: {date}"], 304),
        (OBJECT, [f"If-Modified-Since: {past}"], 200),
        (OBJECT, ["If-Modified-Since: nonsense"], 200),
        (f"{OBJECT}?lm=none", [f"If-Modified-Since: {date}"], 200),
        (f"{OBJECT}?etag=none", ['If-None-Match: "x"'], 200),
        (OBJECT, ["Range: bytes=0-1", f"If-Range: {tag}"], 206),
        (OBJECT, ["Range: bytes=0-1", 'If-Range: "x"'], 200),
        (OBJECT, ["Range: bytes=0-1", f"If-Range: {date}"], 206),
        (OBJECT, ["Range: bytes=0-1", f"If-Range: {past}"], 200),
        (f"{OBJECT}?etag=weak", ["Range: bytes=0-1", f"If-Range: {loose}"], 200),
    ]:
        assert (await ask(origin, target, *fields)).status == status, (target, fields)


async def test_only_what_the_kernel_took_is_counted(origin: Origin) -> None:
    with await dial(origin, "/obj/s/100000000") as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        await until(sock, 100_000)
    await eventually(lambda: origin.log[0].left)
    assert 99_000 < origin.sent() < 8_000_000  # read, and what both kernels buffer at most; of a hundred million


async def test_routes_can_compute_and_wait(origin: Origin) -> None:
    gate = asyncio.Event()

    async def later(request: Request) -> Response:
        await gate.wait()
        return Response(201, [("X-Query", request.query)], request.method.encode())

    origin.route("/now", body=lambda request: Response(410, body=request.path.encode()))
    origin.route("/later", body=later)
    waiting = asyncio.create_task(ask(origin, "/later?q", "Content-Length: 0", method="PUT"))
    assert (await ask(origin, "/now")).body == b"/now"
    assert not waiting.done()
    gate.set()
    heard = await waiting
    assert (heard.status, heard.headers.get("x-query"), heard.body) == (201, "q", b"PUT")


async def test_a_route_that_fails_fails_the_test() -> None:
    def broken(_: Request) -> Response:
        raise ZeroDivisionError

    async def attempt() -> None:
        async with Origin() as origin:
            origin.route("/", body=broken)
            with await dial(origin, "/") as sock:
                assert await until(sock) == (b"", False)

    with pytest.raises(ZeroDivisionError):
        await attempt()


async def test_the_log_names_each_request(origin: Origin) -> None:
    await ask(origin, f"{OBJECT}?x=1", "X-A: b")
    await ask(origin, "/none")
    record = origin.log[0]
    assert (record.method, record.path, record.query, record.status) == ("GET", OBJECT, "x=1", 200)
    assert ("x-a", "b") in record.headers
    assert (origin.requests(), origin.requests(OBJECT), origin.sent()) == (2, 1, 1000)
    origin.forget()
    assert origin.requests() == 0


def test_a_process_has_the_same_counters_and_switches() -> None:
    with origin_process() as origin:
        port = int(origin.address.rpartition(":")[2])

        def fetch() -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
                sock.sendall(f"GET {OBJECT} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
                return b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")[2]

        assert fetch() == WHOLE
        origin.bump(OBJECT)
        assert fetch() == bodies.body("s~1", 0, 1000)
        assert (origin.requests(OBJECT), origin.sent(), origin.log[0].headers) == (2, 2000, (("connection", "close"),))
        origin.down()
        with pytest.raises(ConnectionRefusedError):
            fetch()
        origin.up()
        origin.forget()
        assert len(fetch()) == 1000
        assert origin.state()["peak"] == 1
