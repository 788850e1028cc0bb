"""Redirects are followed by hand: what is sent on, and where they may not lead."""

from __future__ import annotations

import httpx
import pytest
import respx

from mirror.errors import OriginError
from mirror.model import Headers
from mirror.reach import Route
from tests.origin.scripted import HELLO, Make, RawOrigin, body, get


def moved(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nSet-Cookie: c=1\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.row(24, at="authorization, cookie and an API key: there and back; `Set-Cookie` is not kept")
async def test_credentials_stay_with_their_origin_and_cookies_go_nowhere(raw: RawOrigin, make: Make) -> None:
    other = RawOrigin()
    await other.start()
    raw.scripts |= {"/x": moved("/y"), "/y": moved(other.url + "/z")}
    other.scripts["/z"] = moved(raw.url + "/hello")
    headers = Headers((("range", "bytes=0-"), ("x-api-key", "canary"), ("cookie", "canary")))
    answer = await (await make()).fetch(
        [raw.url + "/x"], headers=headers, route=Route(("authorization", "Bearer canary"))
    )
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


@pytest.mark.row(44, at="redirects to other schemes")
@pytest.mark.parametrize("to", ["ftp://127.0.0.1/x", "http://", "http://[::1", "http://a:b/", "javascript:x"])
async def test_a_redirect_to_nowhere_is_an_error(raw: RawOrigin, make: Make, to: str) -> None:
    """Seen red: a redirect may lead to any scheme."""
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


@pytest.mark.row(24, at="https to http is refused")
@respx.mock(using="httpx")
async def test_https_is_never_left_for_http(respx_mock: respx.MockRouter, make: Make) -> None:
    """Seen red: a redirect from https to http is followed."""
    respx_mock.get("https://upstream.test/x").respond(302, headers={"location": "http://upstream.test/x"})
    respx_mock.get("https://upstream.test/up").respond(200, content=b"hello")
    respx_mock.get("http://upstream.test/up").respond(308, headers={"location": "https://upstream.test/up"})
    origin = await make(httpx.MockTransport(respx_mock.async_handler))
    with pytest.raises(OriginError, match="https to http"):
        await origin.fetch(["https://upstream.test/x"])
    assert await get(origin, "http://upstream.test/up", route=Route(("authorization", "canary"))) == b"hello"
    assert "authorization" not in respx_mock.calls.last.request.headers
