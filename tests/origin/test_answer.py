"""What an open answer holds and gives out, and what is sent for it."""

from __future__ import annotations

import gzip

import pytest

from mirror.errors import OriginError, Truncated, Unavailable
from mirror.model import Headers
from mirror.origin import Origin, OriginSettings
from tests.origin.scripted import HELLO, UNREACHABLE, Make, RawOrigin, body, get


async def test_answer_has_the_head_without_hop_by_hop_fields_and_the_times_of_the_wall_clock(
    raw: RawOrigin, make: Make
) -> None:
    raw.scripts["/x"] = (
        b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: W/"a"\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n'
        b"Keep-Alive: timeout=5\r\nProxy-Thing: 1\r\nUpgrade: h2c\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nhello"
    )
    answer = await (await make()).fetch([raw.url + "/x"])
    assert answer.head.headers.pairs == (
        ("content-length", "5"),
        ("etag", 'W/"a"'),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    )
    assert (answer.head.status, answer.head.requested_at, answer.head.received_at) == (200, 1000, 1001)
    assert (answer.url, answer.length, answer.delimited) == (raw.url + "/x", 5, True)
    assert await body(answer) == b"hello"


async def test_only_our_own_fields_are_sent(raw: RawOrigin, make: Make) -> None:
    await get(await make(user_agent="m/1"), raw.url + "/hello", headers=Headers((("if-none-match", '"a"'),)))
    sent = dict(line.lower().split(b": ", 1) for line in raw.asked[0].split(b"\r\n")[1:] if line)
    assert sent == {
        b"host": f"127.0.0.1:{raw.port}".encode(),
        b"user-agent": b"m/1",
        b"accept-encoding": b"identity",
        b"if-none-match": b'"a"',
    }


async def test_labelled_bodies_stay_as_they_were_sent(raw: RawOrigin, make: Make) -> None:
    packed = gzip.compress(b"hello")
    raw.scripts["/x"] = (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    )
    assert await get(await make(), raw.url + "/x", headers=Headers((("accept-encoding", "gzip"),))) == packed


async def test_a_chunked_body_is_delimited_and_has_no_length(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    answer = await (await make()).fetch([raw.url + "/x"])
    assert (answer.length, answer.delimited) == (None, True)
    assert await body(answer) == b"hello"


async def test_a_body_that_ends_with_the_connection_is_marked(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\n\r\nhello"
    answer = await (await make()).fetch([raw.url + "/x"])
    assert (answer.length, answer.delimited) == (None, False)
    assert await body(answer) == b"hello"


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304), ("GET", 204)])
async def test_an_answer_that_can_have_no_body_has_the_length_zero(
    raw: RawOrigin, make: Make, method: str, status: int
) -> None:
    raw.scripts["/x"] = b'HTTP/1.1 %d X\r\nETag: "a"\r\n%s\r\n' % (
        status,
        b"" if status == 204 else b"Content-Length: 9\r\n",
    )
    answer = await (await make()).fetch([raw.url + "/x"], method=method)
    assert (answer.head.status, answer.length, answer.delimited) == (status, 0, True)
    assert await body(answer) == b""


async def test_early_hints_are_passed_over(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HELLO
    assert await get(await make(), raw.url + "/x") == b"hello"


async def test_every_byte_of_a_field_is_kept_and_an_etag_is_sent_back_as_it_came(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = HELLO.replace(b"\r\n\r\n", b'\r\nX-Name: caf\xe9\r\nETag: "caf\xc3\xa9"\r\n\r\n')
    origin = await make()
    answer = await origin.fetch([raw.url + "/x"])
    assert answer.head.headers.get("x-name") == "caf\xe9"
    assert await body(answer) == b"hello"
    await get(origin, raw.url + "/x", headers=Headers((("if-none-match", answer.head.headers.get("etag") or ""),)))
    assert b'if-none-match: "caf\xc3\xa9"\r\n' in raw.asked[1]


async def test_an_etag_that_cannot_be_sent_back_is_left_out_and_any_other_such_field_an_error(
    raw: RawOrigin, make: Make
) -> None:
    origin = await make()
    assert await get(origin, raw.url + "/hello", headers=Headers((("if-none-match", '"caf\xe9"'),))) == b"hello"
    assert b"if-none-match" not in raw.asked[0]
    with pytest.raises(OriginError, match="cannot be sent"):
        await origin.fetch([raw.url + "/hello"], headers=Headers((("if-range", '"caf\xe9"'),)))


@pytest.mark.parametrize("target", ["/a%2fb/%7E;p?x=%2F&y=a+b&z", "/a?", "//a//b", "/?url=http://upstream.test/"])
async def test_addresses_are_sent_as_they_stand(raw: RawOrigin, make: Make, target: str) -> None:
    raw.scripts[target.partition("?")[0]] = HELLO
    assert await get(await make(), raw.url + target) == b"hello"
    assert raw.asked[0].split()[1] == target.encode()


async def test_heads_of_two_hundred_fields_and_of_a_long_one_are_read(raw: RawOrigin, make: Make) -> None:
    many = b"".join(b"X-%d: 1\r\n" % n for n in range(200))
    raw.scripts["/x"] = HELLO.replace(b"\r\n\r\n", b"\r\n" + many + b"X-Long: " + b"x" * 30_000 + b"\r\n\r\n")
    answer = await (await make()).fetch([raw.url + "/x"])
    assert len(answer.head.headers.get("x-long") or "") == 30_000
    assert len(answer.head.headers.pairs) == 202
    await answer.aclose()


async def test_closing_twice_gives_one_place_back(raw: RawOrigin, make: Make) -> None:
    origin = await make(max_connections=1)
    first, upstream = await origin.fetch([raw.url + "/hello"]), raw.url
    assert origin.in_use == {upstream: 1}
    await first.aclose()
    await first.aclose()
    second = await origin.fetch([raw.url + "/hello"])
    assert origin.in_use == {upstream: 1}
    await second.aclose()


async def test_fetching_needs_an_open_client_and_an_upstream(make: Make) -> None:
    with pytest.raises(Unavailable, match="not open"):
        await Origin(OriginSettings()).fetch([UNREACHABLE])
    with pytest.raises(Unavailable, match="no upstream"):
        await (await make()).fetch([])


class TestArrived:
    """A small body that came with its head needs no reader."""

    async def test_it_is_given_whole_and_its_connection_is_used_again(self, raw: RawOrigin, make: Make) -> None:
        origin = await make()
        for _ in range(2):
            answer = await origin.fetch([raw.url + "/hello"])
            assert await answer.arrived(5, 10.0) == b"hello"
            await answer.aclose()
        assert raw.connections == 1

    async def test_a_chunked_one_has_its_length_then(self, raw: RawOrigin, make: Make) -> None:
        raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        answer = await (await make()).fetch([raw.url + "/x"])
        assert await answer.arrived(0, 10.0) == b"hello"
        await answer.aclose()

    @pytest.mark.parametrize(
        "head",
        [b"Content-Length: 10\r\n", b"Transfer-Encoding: chunked\r\n", b""],
        ids=["on its way", "no last chunk yet", "its end is the connection's"],
    )
    async def test_what_is_not_whole_is_left_to_be_read(self, raw: RawOrigin, make: Make, head: bytes) -> None:
        chunked = b"chunked" in head
        raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + (b"5\r\nhello\r\n" if chunked else b"hello")
        raw.held.add("/x")
        answer = await (await make()).fetch([raw.url + "/x"])
        assert await answer.arrived(100, 0.01) is None
        chunks = answer.chunks()
        assert await anext(chunks) == b"hello"
        await answer.aclose()

    async def test_one_that_is_too_long_is_not_waited_for(self, raw: RawOrigin, make: Make) -> None:
        answer = await (await make()).fetch([raw.url + "/hello"])
        assert await answer.arrived(4, 10.0) is None
        assert await body(answer) == b"hello"

    async def test_one_that_ends_early_is_left_to_be_told_of(self, raw: RawOrigin, make: Make) -> None:
        raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
        answer = await (await make()).fetch([raw.url + "/x"])
        assert await answer.arrived(100, 10.0) is None
        with pytest.raises(Truncated):
            await body(answer)
