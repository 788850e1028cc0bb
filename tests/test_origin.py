"""The client for origins, against a raw socket that sends whatever a test says, and against httpx.MockTransport."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import httpx
import pytest
import respx

from mirror.errors import OriginError, OriginRefused, OriginTimeout, Truncated, Unavailable
from mirror.model import Headers
from mirror.origin import Answer, Origin, OriginSettings

Make = Callable[..., Awaitable[Origin]]
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
UNREACHABLE = "http://127.0.0.1:1/x"


class RawOrigin:
    """Sends scripted bytes for each path and remembers what it was asked.

    After a script in `held` the connection stays open and silent until the client leaves it; after others it is closed,
    unless the script is in `kept`.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, bytes] = {"/hello": HELLO}
        self.kept = {"/hello"}
        self.held: set[str] = set()
        self.asked: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.changed = asyncio.Condition()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        await self._count(1)
        try:
            path = "/hello"
            while path in self.kept:
                request = await reader.readuntil(b"\r\n\r\n")
                path = request.split()[1].decode().partition("?")[0]
                self.asked.append(request)
                writer.write(self.scripts[path])
                await writer.drain()
            if path in self.held:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
            await self._count(-1)

    async def _count(self, change: int) -> None:
        async with self.changed:
            self.open += change
            self.changed.notify_all()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(true)

    async def stop(self) -> None:
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()


@pytest.fixture
async def raw() -> AsyncIterator[RawOrigin]:
    origin = RawOrigin()
    await origin.start()
    yield origin
    await origin.stop()


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Opens origins; at the end none of them may have a connection in use."""
    opened: list[Origin] = []

    async def opening(transport: httpx.AsyncBaseTransport | None = None, **settings: object) -> Origin:
        naps: list[float] = []

        async def sleep(seconds: float) -> None:
            naps.append(seconds)

        origin = Origin(
            OriginSettings(**settings),  # type: ignore[arg-type]
            transport=transport,
            wall=iter(range(1000, 2000)).__next__,
            sleep=sleep,
            random=lambda: 1.0,
        )
        origin.naps = naps  # type: ignore[attr-defined]
        await origin.open()
        opened.append(origin)
        return origin

    yield opening
    for origin in opened:
        assert origin.in_use == {}
        await origin.close()


async def collect(answer: Answer, into: list[bytes]) -> None:
    async for chunk in answer.chunks():
        into.append(chunk)


async def body(answer: Answer) -> bytes:
    async with answer:
        return b"".join([chunk async for chunk in answer.chunks()])


async def get(origin: Origin, *urls: str, **question: object) -> bytes:
    return await body(await origin.fetch(urls, **question))  # type: ignore[arg-type]


# The answer


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
        b"accept": b"*/*",  # reqwest's, where there is no other; it means the same as none (RFC 9110 §12.5.1)
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


async def test_fields_that_are_not_ascii_do_not_lose_the_answer(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = HELLO.replace(b"\r\n\r\n", b'\r\nX-Name: caf\xc3\xa9\r\nETag: "a"\r\n\r\n')
    answer = await (await make()).fetch([raw.url + "/x"])
    assert answer.head.headers.get("etag") == '"a"'
    assert await body(answer) == b"hello"


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


# Framing


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
        b"Transfer-Encoding: gzip, chunked",
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
async def test_the_same_length_several_times_is_one_length(raw: RawOrigin, make: Make, fields: bytes) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\nhello"
    answer = await (await make()).fetch([raw.url + "/x"])
    assert answer.head.headers.all("content-length") == ["5"]
    assert await body(answer) == b"hello"


@pytest.mark.parametrize(
    "reply",
    [
        b"Content-Length: 50\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ],
)
async def test_a_body_that_ends_early_is_truncated(raw: RawOrigin, make: Make, reply: bytes) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\n" + reply
    got = []
    async with await (await make()).fetch([raw.url + "/x"]) as answer:
        with pytest.raises(Truncated, match="broke off"):
            await collect(answer, got)
    assert got == [b"hello"]


async def test_a_body_of_another_length_than_announced_is_truncated_whatever_the_transport_says(make: Make) -> None:
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, headers={"content-length": "9"}, stream=httpx.ByteStream(b"hello"))
    )
    with pytest.raises(Truncated, match="5 bytes"):
        await get(await make(transport), "http://upstream.test/x")


async def test_bytes_after_the_body_do_not_answer_the_next_request(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = HELLO + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
    raw.kept.add("/x")
    origin = await make()
    assert await get(origin, raw.url + "/x") == b"hello"
    assert await get(origin, raw.url + "/hello") == b"hello"


async def test_a_part_that_was_not_asked_for_is_refused(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = HELLO.replace(b"200 OK", b"206 Partial Content\r\nContent-Range: bytes 0-4/9")
    origin = await make()
    with pytest.raises(OriginError, match="206"):
        await origin.fetch([raw.url + "/x"])
    assert await get(origin, raw.url + "/x", headers=Headers((("range", "bytes=0-4"),))) == b"hello"


# Redirects


def moved(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nSet-Cookie: c=1\r\nContent-Length: 0\r\n\r\n".encode()


async def test_credentials_stay_with_their_origin_and_cookies_go_nowhere(raw: RawOrigin, make: Make) -> None:
    other = RawOrigin()
    await other.start()
    raw.scripts |= {"/x": moved("/y"), "/y": moved(other.url + "/z")}
    other.scripts["/z"] = moved(raw.url + "/hello")
    headers = Headers((("range", "bytes=0-"), ("x-api-key", "canary"), ("cookie", "canary")))
    answer = await (await make()).fetch([raw.url + "/x"], headers=headers, auth=("authorization", "Bearer canary"))
    assert answer.url == raw.url + "/x"
    assert await body(answer) == b"hello"
    first, same, back = raw.asked
    assert b"x-api-key: canary" in first.lower()
    assert b"authorization: bearer canary" in first.lower()
    assert b"authorization: bearer canary" in same.lower()
    assert b"canary" not in same.lower().replace(b"authorization: bearer canary", b"")
    for request in (*other.asked, back):
        assert b"canary" not in request
        assert b"c=1" not in request
        assert b"range: bytes=0-" in request.lower()
    await other.stop()


async def test_five_redirects_are_followed_and_six_are_not(raw: RawOrigin, make: Make) -> None:
    raw.scripts |= {f"/{n}": moved(f"{n - 1}", 307) for n in range(1, 7)} | {"/0": HELLO}
    origin = await make()
    assert await get(origin, raw.url + "/5") == b"hello"
    with pytest.raises(OriginError, match="more than 5 times"):
        await origin.fetch([raw.url + "/6"])


@pytest.mark.parametrize("to", ["ftp://127.0.0.1/x", "http://", "http://[::1", "http://a:b/", "javascript:x"])
async def test_a_redirect_to_nowhere_is_an_error(raw: RawOrigin, make: Make, to: str) -> None:
    raw.scripts["/x"] = moved(to)
    with pytest.raises(OriginError, match=r"redirect|location"):
        await (await make()).fetch([raw.url + "/x"])


async def test_a_redirect_without_or_with_two_locations_is_an_error(raw: RawOrigin, make: Make) -> None:
    raw.scripts |= {
        "/none": moved("/").replace(b"Location", b"X"),
        "/two": moved("/").replace(b"Set-Cookie", b"Location"),
    }
    origin = await make()
    for path in ("/none", "/two"):
        with pytest.raises(OriginError, match="redirects"):
            await origin.fetch([raw.url + path])


async def test_not_modified_is_no_redirect(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = moved("/hello", 304)
    answer = await (await make()).fetch([raw.url + "/x"])
    assert answer.head.status == 304
    await answer.aclose()


@respx.mock(using="httpx")
async def test_https_is_never_left_for_http(respx_mock: respx.MockRouter, make: Make) -> None:
    respx_mock.get("https://upstream.test/x").respond(302, headers={"location": "http://upstream.test/x"})
    respx_mock.get("https://upstream.test/up").respond(200, content=b"hello")
    respx_mock.get("http://upstream.test/up").respond(308, headers={"location": "https://upstream.test/up"})
    origin = await make(httpx.MockTransport(respx_mock.async_handler))
    with pytest.raises(OriginError, match="https to http"):
        await origin.fetch(["https://upstream.test/x"])
    assert await get(origin, "http://upstream.test/up", auth=("authorization", "canary")) == b"hello"
    assert "authorization" not in respx_mock.calls.last.request.headers


# Failover and retries


def status(code: int, **fields: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {code} X\r\n{lines}Content-Length: 5\r\n\r\nerror".encode()


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
async def test_the_next_url_is_asked_where_one_is_in_trouble(raw: RawOrigin, make: Make, code: int) -> None:
    raw.scripts["/x"] = status(code)
    answer = await (await make()).fetch([raw.url + "/x", UNREACHABLE, raw.url + "/hello"])
    assert answer.url == raw.url + "/hello"
    assert await body(answer) == b"hello"


async def test_missing_is_an_answer(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = status(404)
    assert await get(await make(), raw.url + "/x", raw.url + "/hello") == b"error"


async def test_the_first_answer_in_trouble_is_returned_where_none_does_better(raw: RawOrigin, make: Make) -> None:
    raw.scripts |= {"/x": status(503), "/y": status(500)}
    origin = await make()
    answer = await origin.fetch([UNREACHABLE, raw.url + "/x", raw.url + "/y"])
    assert (answer.head.status, answer.url) == (503, raw.url + "/x")
    assert await body(answer) == b"error"
    assert len(raw.asked) == 2


async def test_a_refused_connection_is_tried_again_with_growing_pauses(make: Make) -> None:
    origin = await make(retries=7)
    with pytest.raises(OriginRefused, match=r"127\.0\.0\.1:1 cannot be reached"):
        await origin.fetch([UNREACHABLE])
    assert origin.naps == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("asked", "pause"), [("3", 3.0), ("900", 8.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.25)])
async def test_retry_after_lengthens_the_pause(raw: RawOrigin, make: Make, asked: str, pause: float) -> None:
    raw.scripts["/x"] = status(503, retry_after=asked)
    origin = await make(retries=1)
    assert await get(origin, raw.url + "/x", UNREACHABLE) == b"error"
    assert origin.naps == [pause]  # type: ignore[attr-defined]


async def test_a_reset_before_the_head_is_tried_again(make: Make) -> None:
    left = [httpx.ReadError("reset"), httpx.ConnectTimeout("slow"), httpx.ConnectError("refused")]

    def reply(request: httpx.Request) -> httpx.Response:
        if left:
            raise left.pop()
        return httpx.Response(200, content=b"hello")

    assert await get(await make(httpx.MockTransport(reply)), "http://upstream.test/x") == b"hello"


async def test_other_methods_are_tried_once(raw: RawOrigin, make: Make) -> None:
    origin = await make()
    with pytest.raises(OriginRefused):
        await origin.fetch([UNREACHABLE, raw.url + "/hello"], method="POST")
    assert (raw.asked, origin.naps) == ([], [])  # type: ignore[attr-defined]


@pytest.mark.parametrize("script", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 103 Early\r\n\r\n"])
async def test_a_silent_origin_is_left_for_the_next(raw: RawOrigin, make: Make, script: bytes) -> None:
    raw.scripts["/x"] = script
    raw.held.add("/x")
    origin = await make(head_timeout=0.2, min_rate_window=0.2)
    with pytest.raises(OriginTimeout, match=r"no answer within 0\.2 s"):
        await origin.fetch([raw.url + "/x"])
    await raw.until(lambda: raw.open == 0)
    assert await get(origin, raw.url + "/x", raw.url + "/hello") == b"hello"
    assert origin.naps == []  # type: ignore[attr-defined]


async def test_errors_name_the_host_and_no_secret(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b"SSH-2.0\r\n"
    origin = await make(retries=0)
    urls = [f"http://u:canary@127.0.0.1:{port}/x?sig=canary" for port in (1, raw.port)] + [
        "ftp://u:canary@upstream.test"
    ]
    for url in urls:
        with pytest.raises(OriginError) as caught:
            await origin.fetch([url], auth=("authorization", "canary"))
        assert "canary" not in str(caught.value)
    with pytest.raises(OriginError) as caught:
        await origin.fetch([raw.url + "/hello"], auth=("authorization", "canary\r\nx: y"))
    assert "canary" not in str(caught.value)
    assert str(raw.port) in str(caught.value)


# The queue


async def asked(origin: Origin, urls: Sequence[str]) -> asyncio.Task[Answer]:
    """A fetch that has come as far as it can."""
    task = asyncio.create_task(origin.fetch(urls))
    await asyncio.sleep(0)
    return task


async def test_those_who_wait_for_a_connection_are_served_in_order(raw: RawOrigin, make: Make) -> None:
    origin = await make(max_connections=1, max_waiting=3)
    holding = await origin.fetch([raw.url + "/hello"])
    raw.scripts |= {f"/{n}": HELLO for n in range(3)}
    waiting = [await asked(origin, [f"{raw.url}/{n}"]) for n in range(3)]
    with pytest.raises(Unavailable, match="too many"):
        await origin.fetch([raw.url + "/hello"])
    assert origin.in_use == {raw.url: 1}
    await holding.aclose()
    for task in waiting:
        await (await task).aclose()
    assert [request.split()[1] for request in raw.asked] == [b"/hello", b"/0", b"/1", b"/2"]


async def test_one_upstream_does_not_wait_for_another(raw: RawOrigin, make: Make) -> None:
    other = RawOrigin()
    await other.start()
    origin = await make(max_connections=1)
    async with await origin.fetch([raw.url + "/hello"]):
        assert await get(origin, other.url + "/hello") == b"hello"
    await other.stop()


async def test_a_cancelled_waiter_takes_no_place_with_it(raw: RawOrigin, make: Make) -> None:
    origin = await make(max_connections=1)
    holding = await origin.fetch([raw.url + "/hello"])
    leaving, granted, staying = [await asked(origin, [raw.url + "/hello"]) for _ in range(3)]
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await holding.aclose()
    granted.cancel()  # its place is granted already, but it has not run since
    await asyncio.gather(granted, return_exceptions=True)
    assert leaving.cancelled()
    assert granted.cancelled()
    assert await body(await staying) == b"hello"


async def test_a_cancelled_fetch_gives_its_place_back_and_drops_the_connection(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b""
    raw.held.add("/x")
    origin = await make(max_connections=1, head_timeout=0.5, min_rate_window=0.5)
    task = asyncio.create_task(origin.fetch([raw.url + "/x"]))
    await raw.until(lambda: raw.open == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await raw.until(lambda: raw.open == 0)
    assert await get(origin, raw.url + "/hello") == b"hello"


async def test_two_urls_of_one_full_upstream_do_not_wait_for_each_other(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = status(503)
    origin = await make(max_connections=1)
    async with asyncio.timeout(10):
        assert await get(origin, raw.url + "/x", raw.url + "/hello") == b"hello"


async def test_hundreds_of_downloads_cancelled_in_mid_body_leave_nothing_behind(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 100_000
    raw.held.add("/x")
    origin = await make(max_connections=20)
    assert await get(origin, raw.url + "/hello") == b"hello"
    before = len(os.listdir("/proc/self/fd"))

    async def download(begun: asyncio.Event) -> None:
        async with await origin.fetch([raw.url + "/x"]) as answer:
            async for _ in answer.chunks():
                begun.set()

    for _ in range(15):
        begun = [asyncio.Event() for _ in range(20)]
        tasks = [asyncio.create_task(download(event)) for event in begun]
        await asyncio.gather(*(event.wait() for event in begun))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await raw.until(lambda: raw.open <= 1)
    assert await get(origin, raw.url + "/hello") == b"hello"
    assert len(os.listdir("/proc/self/fd")) <= before + 2


# The minimum rate


class Drip(httpx.AsyncByteStream):
    def __init__(self, chunk: bytes, every: float, count: int) -> None:
        self.chunk, self.every, self.count = chunk, every, count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.count):
            await asyncio.sleep(self.every)
            yield self.chunk


def dripping(chunk: bytes, every: float, count: int) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(200, stream=Drip(chunk, every, count)))


async def test_a_body_that_stalls_is_given_up_and_its_connection_dropped(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"
    raw.held.add("/x")
    origin = await make(min_rate=1, min_rate_window=0.2)
    with pytest.raises(OriginTimeout, match="bytes per second"):
        await get(origin, raw.url + "/x")
    await raw.until(lambda: raw.open == 0)


async def test_a_body_that_only_drips_is_given_up(make: Make) -> None:
    origin = await make(dripping(b"x", 0.02, 1000), min_rate=1000, min_rate_window=0.2)
    async with asyncio.timeout(2):
        with pytest.raises(OriginTimeout, match="1000 bytes per second"):
            await get(origin, "http://upstream.test/x")


async def test_a_body_that_is_slow_but_fast_enough_comes_whole(make: Make) -> None:
    origin = await make(dripping(b"x" * 100, 0.05, 20), min_rate=500, min_rate_window=0.25)
    assert len(await get(origin, "http://upstream.test/x")) == 2000


async def test_a_slow_reader_is_not_blamed_on_the_origin(raw: RawOrigin, make: Make) -> None:
    whole = 2_000_000
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % whole + b"x" * whole
    origin = await make(min_rate=1000, min_rate_window=0.1)
    async with AsyncExitStack() as stack:
        answer = await stack.enter_async_context(await origin.fetch([raw.url + "/x"]))
        got, pauses = 0, iter([0.15] * 3)
        async for chunk in answer.chunks():
            got += len(chunk)
            await asyncio.sleep(next(pauses, 0))
    assert got == whole
