"""When a connection is used again, when it must not be, and what becomes of a request whose connection dies."""

from __future__ import annotations

import asyncio
import gc

import pytest

from mirror.errors import OriginRefused
from tests.origin.scripted import EVIL, HELLO, Make, RawOrigin, body, get


async def test_a_body_read_to_its_end_gives_its_connection_back(raw: RawOrigin, make: Make) -> None:
    origin = await make()
    for _ in range(5):
        assert await get(origin, raw.url + "/hello") == b"hello"
    assert raw.connections == 1


async def test_a_connection_with_unread_bytes_is_not_used_again(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"], raw.later["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", b"hello"
    raw.kept.add("/x")
    origin = await make()
    answer = await origin.fetch([raw.url + "/x"])
    assert await anext(answer.chunks()) == b"hello"
    await answer.aclose()
    raw.go.set()
    assert await get(origin, raw.url + "/hello") == b"hello"
    assert raw.connections == 2


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_get_and_head_are_sent_once_more_where_a_resting_connection_dies(
    raw: RawOrigin, make: Make, method: str
) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    raw.fragile.add("/x")
    origin = await make(retries=0)
    assert await get(origin, raw.url + "/hello") == b"hello"
    assert await get(origin, raw.url + "/x", method=method) == b""
    assert (len(raw.asked), raw.connections) == (3, 2)


async def test_post_has_a_connection_of_its_own_that_nobody_can_have_closed_meanwhile(
    raw: RawOrigin, make: Make
) -> None:
    raw.fragile.add("/hello")
    origin = await make()
    assert await get(origin, raw.url + "/hello") == b"hello"
    assert await get(origin, raw.url + "/hello", method="POST") == b"hello"
    assert (len(raw.asked), raw.connections) == (2, 2)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE", "OPTIONS"])
async def test_what_may_not_be_sent_twice_is_not(raw: RawOrigin, make: Make, method: str) -> None:
    raw.scripts["/x"] = b""
    origin = await make()
    with pytest.raises(OriginRefused, match="it closed the connection"):
        await origin.fetch([raw.url + "/x"], method=method)
    assert len(raw.asked) == 1


async def test_an_origin_that_always_hangs_up_is_left(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b""
    with pytest.raises(OriginRefused):
        await (await make(retries=1)).fetch([raw.url + "/x"])
    assert len(raw.asked) == 4  # twice for each attempt


async def test_bytes_after_the_body_do_not_answer_the_next_request(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = HELLO + EVIL
    raw.kept.add("/x")
    origin = await make()
    assert await get(origin, raw.url + "/x") == b"hello"
    assert await get(origin, raw.url + "/hello") == b"hello"


@pytest.mark.parametrize("late", [EVIL, EVIL[:20], EVIL[:-2], b"garbage", b"\r\n", HELLO + EVIL])
async def test_bytes_that_come_while_the_connection_rests_do_not_answer_the_next_request(
    raw: RawOrigin, make: Make, late: bytes
) -> None:
    other = RawOrigin()
    await other.start()
    raw.scripts["/x"], raw.later["/x"] = HELLO, late
    raw.kept.add("/x")
    origin = await make()
    assert await get(origin, raw.url + "/x") == b"hello"
    raw.go.set()
    for _ in range(2):  # while these are under way, the late bytes arrive
        assert await get(origin, other.url + "/hello") == b"hello"
    async with asyncio.timeout(10):
        assert await get(origin, raw.url + "/hello") == b"hello"
        assert await get(origin, raw.url + "/hello") == b"hello"
    await other.stop()


async def test_a_resting_connection_that_is_reset_is_replaced_without_a_word(raw: RawOrigin, make: Make) -> None:
    heard: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
    raw.scripts["/x"], raw.later["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", b"hello"
    raw.kept.add("/x")
    origin = await make()
    answer = await origin.fetch([raw.url + "/x"])
    raw.go.set()
    assert await body(answer) == b"hellohello"
    raw.cut()
    await raw.until(lambda: raw.open == 0)
    assert await get(origin, raw.url + "/hello") == b"hello"
    del answer
    gc.collect()  # asyncio tells of exceptions that nobody has looked at when they are collected
    assert (heard, raw.connections) == ([], 2)


async def test_answers_still_open_break_off_when_the_client_closes(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
    raw.held.add("/x")
    origin = await make()
    answer = await origin.fetch([raw.url + "/x"])
    await origin.close()
    await raw.until(lambda: raw.open == 0)
    with pytest.raises(Exception, match="broke off"):
        await body(answer)
