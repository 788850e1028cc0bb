"""What the transport promises to httpx: nothing decoded, added or lost; certificates, the proxy and deadlines."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from mirror.errors import ConfigError
from mirror.transport import OriginSettings, default_transport

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@asynccontextmanager
async def serving(
    answer: Callable[[bytes], bytes], tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that gives one answer on each connection and waits for the client to leave: its port, its requests."""
    asked: list[bytes] = []
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer(asked[-1]))
            await writer.drain()
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(
        lambda reader, writer: tasks.append(asyncio.create_task(serve(reader, writer))), "127.0.0.1", 0, ssl=tls
    )
    try:
        async with asyncio.timeout(10):
            yield server.sockets[0].getsockname()[1], asked
            await asyncio.gather(*tasks)
    finally:
        server.close()
        await server.wait_closed()


def client(**settings: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=default_transport(OriginSettings(**settings)), trust_env=False)  # type: ignore[arg-type]


async def test_the_head_does_not_wait_for_the_body() -> None:
    async with (
        serving(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") as (port, _),
        client() as http,
        http.stream("GET", f"http://127.0.0.1:{port}/") as response,
    ):
        assert (response.status_code, response.headers["content-length"]) == (200, "5")


async def test_redirects_are_not_followed_and_nothing_is_decoded() -> None:
    reply = b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
    async with (
        serving(lambda _: reply) as (port, asked),
        client() as http,
        http.stream("GET", f"http://127.0.0.1:{port}/x") as response,
    ):
        assert response.status_code == 302
        assert b"".join([chunk async for chunk in response.aiter_raw()]) == b"hello"
    assert len(asked) == 1


async def test_a_request_body_is_sent() -> None:
    async with serving(lambda _: HELLO) as (port, asked), client() as http:
        await http.post(f"http://127.0.0.1:{port}/", content=b"12345")
    assert b"content-length: 5" in asked[0].lower()


async def test_lines_stay_as_they_came_and_so_does_the_reason() -> None:
    reply = HELLO.replace(b"OK\r\n", b"Tr\xe8s \xc3\xa9t\r\nVary: a\r\nX-NAME: caf\xe9\r\nVary: b\r\n")
    async with serving(lambda _: reply) as (port, _), client() as http:
        response = await http.get(f"http://127.0.0.1:{port}/")
    fields = [(b"Vary", b"a"), (b"X-NAME", b"caf\xe9"), (b"Vary", b"b"), (b"Content-Length", b"5")]
    assert response.headers.raw == fields
    assert response.extensions["reason_phrase"] == b"Tr\xe8s \xc3\xa9t"


async def test_a_closed_transport_and_another_scheme_are_errors_of_httpx() -> None:
    transport = default_transport(OriginSettings())
    with pytest.raises(httpx.UnsupportedProtocol):
        await transport.handle_async_request(httpx.Request("GET", "ws://127.0.0.1:1/"))
    await transport.aclose()
    with pytest.raises(httpx.LocalProtocolError, match="closed"):
        await transport.handle_async_request(httpx.Request("GET", "http://127.0.0.1:1/"))


async def test_connecting_has_a_deadline() -> None:
    async with serving(lambda _: HELLO) as (port, _), client(connect_timeout=0.1) as http:
        with pytest.raises(httpx.ConnectTimeout) as caught:
            await http.get(f"https://localhost:{port}/?sig=canary")  # it waits for a greeting that does not come
    assert "canary" not in str(caught.value)


async def test_the_proxy_is_used_and_the_environment_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with serving(lambda _: HELLO) as (port, asked):
        async with client() as http:
            assert (await http.get(f"http://127.0.0.1:{port}/direct")).content == b"hello"
        async with client(proxy=f"http://u:pw@127.0.0.1:{port}") as http:
            assert (await http.get("http://upstream.test/x")).content == b"hello"
    assert asked[0].startswith(b"GET /direct ")
    assert asked[1].startswith(b"GET http://upstream.test/x ")
    assert b"proxy-authorization: basic dtpwdw==" in asked[1].lower()


async def test_a_proxy_that_refuses_or_is_not_there_is_an_error_of_the_proxy() -> None:
    refusing = b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"
    async with serving(lambda _: refusing) as (port, asked), client(proxy=f"http://u:canary@127.0.0.1:{port}") as http:
        with pytest.raises(httpx.ProxyError) as caught:
            await http.get("https://upstream.test/x?sig=canary")
    assert asked[0].startswith(b"CONNECT upstream.test:443 ")
    assert "canary" not in str(caught.value)
    async with client(proxy="http://u:canary@127.0.0.1:1") as http:
        with pytest.raises(httpx.ProxyError):
            await http.get("http://upstream.test/x")


@pytest.mark.parametrize(
    "setting", [{"proxy": "::"}, {"ca_file": "missing"}, {"ca_file": __file__}, {"proxy": "socks5://h:1"}]
)
def test_settings_that_cannot_be_used_are_a_configuration_error(setting: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="proxy or the CA file"):
        default_transport(OriginSettings(**setting))  # type: ignore[arg-type]


async def test_every_certificate_of_the_bundle_is_trusted_and_names_are_checked(certificates: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    async with serving(lambda _: HELLO, context) as (port, _):
        async with client(ca_file=str(certificates / "bundle.pem")) as http:
            assert (await http.get(f"https://localhost:{port}/")).content == b"hello"
            with pytest.raises(httpx.ConnectError, match="IP address mismatch"):
                await http.get(f"https://127.0.0.1:{port}/")
        async with client(ca_file=str(certificates / "other.pem")) as http:
            with pytest.raises(httpx.ConnectError, match="unable to get local issuer"):
                await http.get(f"https://localhost:{port}/")
