"""The next URL, the further attempts, and what errors say."""

from __future__ import annotations

import logging

import httpx
import pytest

from mirror.errors import OriginError, OriginRefused, OriginTimeout
from mirror.reach import Route
from tests.origin.scripted import UNREACHABLE, Make, RawOrigin, body, get


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


@pytest.mark.parametrize("code", [404, 410])
async def test_missing_is_no_answer_where_a_preferred_upstream_could_not_tell(
    raw: RawOrigin, make: Make, code: int
) -> None:
    raw.scripts |= {"/x": status(code), "/busy": status(503)}
    origin = await make(retries=0)
    with pytest.raises(OriginError, match=r"127\.0\.0\.1:1, which is preferred, could not be asked"):
        await origin.fetch([UNREACHABLE, raw.url + "/x"])
    assert await get(origin, UNREACHABLE, raw.url + "/x", raw.url + "/hello") == b"hello"
    answer = await origin.fetch([raw.url + "/busy", raw.url + "/x"])
    assert answer.head.status == 503
    await answer.aclose()
    assert await get(origin, raw.url + "/x", UNREACHABLE) == b"error"  # the preferred one has told


async def test_the_first_answer_in_trouble_is_returned_where_none_does_better(raw: RawOrigin, make: Make) -> None:
    raw.scripts |= {"/x": status(503), "/y": status(500)}
    origin = await make()
    answer = await origin.fetch([UNREACHABLE, raw.url + "/x", raw.url + "/y"])
    assert (answer.head.status, answer.url) == (503, raw.url + "/x")
    assert await body(answer) == b"error"
    assert len(raw.asked) == 2


async def test_a_refused_connection_is_tried_again_with_growing_pauses(make: Make) -> None:
    naps: list[float] = []
    origin = await make(naps=naps, retries=7)
    with pytest.raises(OriginRefused, match=r"127\.0\.0\.1:1 cannot be reached"):
        await origin.fetch([UNREACHABLE])
    assert naps == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


@pytest.mark.parametrize(("asked", "pause"), [("3", 3.0), ("900", 8.0), ("Thu, 01 Jan 1970 00:16:00 GMT", 0.25)])
async def test_retry_after_lengthens_the_pause(raw: RawOrigin, make: Make, asked: str, pause: float) -> None:
    raw.scripts["/x"] = status(503, retry_after=asked)
    naps: list[float] = []
    origin = await make(naps=naps, retries=1)
    assert await get(origin, raw.url + "/x", UNREACHABLE) == b"error"
    assert naps == [pause]


async def test_a_reset_before_the_head_is_tried_again(make: Make) -> None:
    left = [httpx.ReadError("reset"), httpx.ConnectTimeout("slow"), httpx.ConnectError("refused")]

    def reply(request: httpx.Request) -> httpx.Response:
        if left:
            raise left.pop()
        return httpx.Response(200, content=b"hello")

    assert await get(await make(httpx.MockTransport(reply)), "http://upstream.test/x") == b"hello"


async def test_other_methods_are_tried_once(raw: RawOrigin, make: Make) -> None:
    naps: list[float] = []
    origin = await make(naps=naps)
    with pytest.raises(OriginRefused):
        await origin.fetch([UNREACHABLE, raw.url + "/hello"], method="POST")
    assert (raw.asked, naps) == ([], [])


@pytest.mark.row(18, at="silent before the head: the next upstream")
@pytest.mark.parametrize("script", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 103 Early\r\n\r\n"])
async def test_a_silent_origin_is_left_for_the_next(raw: RawOrigin, make: Make, script: bytes) -> None:
    """Seen red: a silent upstream is waited for."""
    raw.scripts["/x"] = script
    raw.held.add("/x")
    naps: list[float] = []
    origin = await make(naps=naps, head_timeout=0.5, min_rate_window=0.5)
    with pytest.raises(OriginTimeout, match=r"no answer within 0\.5 s"):
        await origin.fetch([raw.url + "/x"])
    await raw.until(lambda: raw.open == 0)
    assert await get(origin, raw.url + "/x", raw.url + "/hello") == b"hello"
    assert naps == []


async def test_errors_name_the_host_and_no_secret(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b"SSH-2.0\r\n"
    origin = await make(retries=0)
    urls = [f"http://u:canary@127.0.0.1:{port}/x?sig=canary" for port in (1, raw.port)] + [
        "ftp://u:canary@upstream.test"
    ]
    for url in urls:
        with pytest.raises(OriginError) as caught:
            await origin.fetch([url], route=Route(("authorization", "canary")))
        assert "canary" not in str(caught.value)
    with pytest.raises(OriginError) as caught:
        await origin.fetch([raw.url + "/hello"], route=Route(("authorization", "canary\r\nx: y")))
    assert "canary" not in str(caught.value)
    assert str(raw.port) in str(caught.value)


async def test_no_log_line_and_no_traceback_has_a_query_or_a_credential(
    raw: RawOrigin, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "a1b2c3"  # tracebacks quote the lines below, but not their values
    raw.scripts |= {"/garbage": b"SSH-2.0\r\n", "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"}
    origin = await make(retries=0)
    assert await get(origin, raw.url + f"/hello?sig={canary}") == b"hello"
    for address in (
        raw.url + "/garbage",
        raw.url + "/cut",
        UNREACHABLE,
        "http://upstream.test:x/",
        "ws://upstream.test/",
    ):
        try:
            await get(origin, f"{address}?sig={canary}", route=Route(("authorization", canary)))
        except OriginError:
            logging.getLogger("test").exception("told with all its causes")
    assert caplog.text.count("told with all its causes") == 5
    assert canary not in caplog.text
