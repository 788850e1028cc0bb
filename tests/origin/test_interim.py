"""Interim responses (RFC 9110 §15.2) on their way in, ends of heads and bodies, however they are cut into packets."""

from __future__ import annotations

import asyncio

import pytest

from mirror.model import Headers
from mirror.origin import Origin
from tests.origin.scripted import EVIL, HELLO, Make, RawOrigin, body, get

HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\nConnection: x\r\n\r\n"
LINE_FEEDS = [  # "|" is CR LF
    b"HTTP/1.1 200 OK\nContent-Length: 5\n\n",
    b"HTTP/1.1 200 OK|Content-Length: 5|\n",
    b"HTTP/1.1 200 OK\nContent-Length: 5\n|",
    b"HTTP/1.1 103 Early Hints\n\nHTTP/1.1 200 OK|Content-Length: 5||",
]


async def test_they_are_told_of_in_order_and_the_answer_has_nothing_of_them(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = HINT + b"HTTP/1.1 102 Processing\r\n\r\n" + HELLO
    heard: list[tuple[int, Headers]] = []
    origin = await make()
    answer = await origin.fetch([raw.url + "/x"], interim=lambda status, headers: heard.append((status, headers)))
    assert (await body(answer), answer.head.headers.get("link")) == (b"hello", None)
    assert heard == [(103, Headers((("link", "</s.css>; rel=preload"),))), (102, Headers())]


async def test_without_a_listener_they_are_passed_over(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = HINT * 2000 + HELLO
    assert await get(await make(), raw.url + "/x") == b"hello"


async def test_nobody_is_told_of_what_came_on_the_connection_before(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = HELLO
    raw.kept.add("/x")
    heard: list[int] = []
    origin = await make()
    await body(await origin.fetch([raw.url + "/x"], interim=lambda status, _: heard.append(status)))
    raw.scripts["/hello"] = HINT + HELLO
    assert await get(origin, raw.url + "/hello") == b"hello"
    assert (heard, raw.connections) == ([], 1)


@pytest.mark.parametrize("surplus", [b"x", b"more than that", EVIL, b"\r\n\r\n"])
async def test_bytes_behind_a_body_are_nobodys_and_end_the_connection(
    raw: RawOrigin, make: Make, surplus: bytes
) -> None:
    raw.scripts["/x"] = HELLO + surplus
    raw.kept.add("/x")
    origin = await make()
    assert await get(origin, raw.url + "/x") == b"hello"
    assert await get(origin, raw.url + "/hello") == b"hello"
    assert raw.connections == 2


async def in_two(raw: RawOrigin, origin: Origin, whole: bytes, at: int) -> bytes:
    """The body of a response whose first `at` bytes have come when the others are sent."""
    raw.scripts["/x"], raw.later["/x"] = whole[:at], whole[at:]
    getting = asyncio.create_task(get(origin, raw.url + "/x"))
    await raw.until(lambda: len(raw.asked) == 1)
    for _ in range(20):  # steps of the loop: the client reads in one of the first
        await asyncio.sleep(0)
    raw.go.set()
    return await getting


@pytest.mark.parametrize("at", [1, 10, 36, 37, 38, 39, 40, 44, 45])
async def test_wherever_the_packets_are_cut(raw: RawOrigin, make: Make, at: int) -> None:
    origin = await make()
    assert await in_two(raw, origin, HELLO + b"surplus", at) == b"hello"
    assert await get(origin, raw.url + "/hello") == b"hello"


@pytest.mark.parametrize("head", [head.replace(b"|", b"\r\n") for head in LINE_FEEDS])
@pytest.mark.parametrize("at", [1, 15, 33, 34, 35, 36, 37, 38, 39])
async def test_lines_of_a_head_may_end_with_a_line_feed_alone(raw: RawOrigin, make: Make, head: bytes, at: int) -> None:
    """RFC 9112 §2.2. No cut is at the end of a body: what comes then comes to a connection that rests already."""
    origin = await make()
    assert await in_two(raw, origin, head + b"hello" + b"surplus", at) == b"hello"
    assert await get(origin, raw.url + "/hello") == b"hello"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body_has_none(raw: RawOrigin, make: Make, status: bytes) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\nhello"
    raw.kept.add("/x")
    origin = await make()
    assert await get(origin, raw.url + "/x") == b""
    assert await get(origin, raw.url + "/hello") == b"hello"
    assert raw.connections == 2
