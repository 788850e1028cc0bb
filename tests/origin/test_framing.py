"""Where a body ends, and what becomes of a connection whose bytes have no single meaning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from mirror.errors import OriginError, Truncated
from mirror.model import Headers
from tests.origin.scripted import HELLO, Make, RawOrigin, collect, get


async def rest(chunks: AsyncIterator[bytes], into: list[bytes]) -> None:
    async for chunk in chunks:
        into.append(chunk)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


@pytest.mark.row(41, at="the other side: 8 answers of an upstream without one meaning")
@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 14",
        b"Content-Length: 5\r\nContent-Length: 3",
        b"Content-Length: 5, 3",
        b"Content-Length: +5",
        b"Content-Length: 5 5",
        b"Content-Length: " + b"9" * 5000,
        b"Transfer-Encoding: identity",
    ],
)
async def test_ambiguous_framing_is_refused_and_the_connection_not_used_again(
    raw: RawOrigin, make: Make, fields: bytes
) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    raw.kept.add("/x")
    origin = await make()
    with pytest.raises(OriginError):
        await origin.fetch([raw.url + "/x"])
    assert await get(origin, raw.url + "/hello") == b"hello"
    assert raw.connections == 2


@pytest.mark.parametrize("fields", [b"Content-Length: 5\r\nContent-Length: 5", b"Content-Length: 5, 5"])
async def test_the_same_length_several_times_is_refused_too(raw: RawOrigin, make: Make, fields: bytes) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\nhello"
    origin = await make()
    with pytest.raises(OriginError, match="understood"):  # RFC 9110 §8.6 lets a recipient refuse it
        await origin.fetch([raw.url + "/x"])
    assert await get(origin, raw.url + "/hello") == b"hello"


async def test_an_unknown_transfer_coding_is_refused(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n"
    raw.kept.add("/x")
    origin = await make()
    with pytest.raises(OriginError, match="coding"):
        await origin.fetch([raw.url + "/x"])
    assert await get(origin, raw.url + "/hello") == b"hello"


@pytest.mark.row(3, at="announced length, in a chunk, between chunks")
@pytest.mark.parametrize(
    "reply",
    [
        b"Content-Length: 50\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
async def test_a_body_that_ends_early_is_truncated(raw: RawOrigin, make: Make, reply: bytes) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\n" + reply
    got = []
    async with await (await make()).fetch([raw.url + "/x"]) as answer:
        with pytest.raises(Truncated, match="broke off"):
            await collect(answer, got)
    assert got == [b"hello"]


@pytest.mark.row(3, at="broken chunks, another length than announced")
@pytest.mark.parametrize("broken", [b"zz\r\n", b"5\r\nhelloXX", b"-1\r\n", b"FFFFFFFFFFFFFFFFF\r\n"])
@pytest.mark.parametrize("held", [True, False])
async def test_a_chunk_that_cannot_be_parsed_breaks_the_body_off_at_once(
    raw: RawOrigin, make: Make, broken: bytes, held: bool
) -> None:
    raw.scripts["/x"], raw.later["/x"] = CHUNKED, broken
    raw.held |= {"/x"} if held else set()
    origin = await make()
    answer = await origin.fetch([raw.url + "/x"])
    chunks = answer.chunks()
    assert await anext(chunks) == b"hello"
    raw.go.set()
    got: list[bytes] = []  # what the chunk holds whose end is missing
    with pytest.raises(Truncated, match="broke off"):
        await asyncio.wait_for(rest(chunks, got), 5)
    assert got in ([], [b"hello"])
    await answer.aclose()
    assert await get(origin, raw.url + "/hello") == b"hello"


async def test_a_broken_chunk_that_comes_with_the_head_is_an_error(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = CHUNKED + b"zz\r\n"
    origin = await make()
    with pytest.raises(OriginError, match="broke off"):
        await get(origin, raw.url + "/x")
    assert await get(origin, raw.url + "/hello") == b"hello"


@pytest.mark.row(3, 4, at="a reset is no end")
async def test_a_reset_is_no_end_of_a_body_that_ends_with_its_connection(raw: RawOrigin, make: Make) -> None:
    """Seen red: a reset is taken for the end of a body that ends with its connection."""
    raw.scripts["/x"], raw.later["/x"] = b"HTTP/1.1 200 OK\r\n\r\nhello", b""
    raw.reset.add("/x")
    answer = await (await make()).fetch([raw.url + "/x"])
    chunks = answer.chunks()
    assert await anext(chunks) == b"hello"
    raw.go.set()
    with pytest.raises(Truncated, match="broke off"):
        await anext(chunks)
    await answer.aclose()


@pytest.mark.parametrize(
    "head",
    [
        b"<html>hello",
        b"SSH-2.0-x\r\n",
        b"HTTP/0.9 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\nhello",
    ],
)
async def test_what_is_no_answer_in_http_1_is_an_error_in_words(raw: RawOrigin, make: Make, head: bytes) -> None:
    raw.scripts["/x"] = head
    raw.held.add("/x")
    origin = await make(retries=0)
    with pytest.raises(OriginError, match="gave no answer that can be understood"):
        await origin.fetch([raw.url + "/x"])
    await raw.until(lambda: raw.open == 0)
    assert await get(origin, raw.url + "/hello") == b"hello"


@pytest.mark.row(3, at="broken chunks, another length than announced")
async def test_a_body_of_another_length_than_announced_is_truncated_whatever_the_transport_says(make: Make) -> None:
    """Seen red: the bytes of a body are not counted."""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, headers={"content-length": "9"}, stream=httpx.ByteStream(b"hello"))
    )
    with pytest.raises(Truncated, match="5 bytes"):
        await get(await make(transport), "http://upstream.test/x")


@pytest.mark.row(41, at="the other side: 8 answers of an upstream without one meaning")
async def test_bytes_after_the_body_do_not_answer_the_next_request(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = HELLO + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
    raw.kept.add("/x")
    origin = await make()
    assert await get(origin, raw.url + "/x") == b"hello"
    assert await get(origin, raw.url + "/hello") == b"hello"


@pytest.mark.row(5, at="a 206 that nobody asked for")
async def test_a_part_that_was_not_asked_for_is_refused(raw: RawOrigin, make: Make) -> None:
    """Seen red: a part that nobody asked for is taken for the whole."""
    raw.scripts["/x"] = HELLO.replace(b"200 OK", b"206 Partial Content\r\nContent-Range: bytes 0-4/9")
    origin = await make()
    with pytest.raises(OriginError, match="206"):
        await origin.fetch([raw.url + "/x"])
    assert await get(origin, raw.url + "/x", headers=Headers((("range", "bytes=0-4"),))) == b"hello"


async def test_bytes_that_came_before_the_break_are_given_out_however_late_they_are_read(
    raw: RawOrigin, make: Make
) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"
    origin = await make()
    answer, got = await origin.fetch([raw.url + "/x"]), []
    await raw.until(lambda: raw.open == 0)
    assert await get(origin, raw.url + "/hello") == b"hello"  # meanwhile the client has seen the end
    with pytest.raises(Truncated, match="broke off"):
        await collect(answer, got)
    assert got == [b"hello"]
    await answer.aclose()
