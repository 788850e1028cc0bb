"""The transport on pyreqwest: what it promises to httpx, and what it makes good for its library."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from mirror.errors import ConfigError
from mirror.transport import OriginSettings, _heeding, default_transport

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


async def test_a_field_that_cannot_be_read_is_dropped_alone() -> None:
    reply = HELLO.replace(b"\r\n\r\n", b"\r\nX-Name: caf\xe9\r\nVary: a\r\nVary: b\r\n\r\n")
    async with serving(lambda _: reply) as (port, _), client() as http:
        fields = (await http.get(f"http://127.0.0.1:{port}/")).headers.multi_items()
    assert fields == [("content-length", "5"), ("vary", "a"), ("vary", "b")]


async def test_a_cancellation_that_the_library_loses_is_raised_all_the_same() -> None:
    undone = asyncio.Event()

    async def undo() -> None:
        undone.set()

    async def losing() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "a result"
        return "never"

    task = asyncio.create_task(_heeding(losing(), then=undo))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone.is_set()


async def test_an_earlier_cancellation_that_the_task_has_dealt_with_does_not_count() -> None:
    async def cleaning() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await _heeding(asyncio.sleep(0, "cleaned"))
        return "never"

    task = asyncio.create_task(cleaning())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "cleaned"


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


@pytest.mark.parametrize("setting", [{"proxy": "::"}, {"ca_file": "missing"}, {"ca_file": __file__}])
def test_settings_that_cannot_be_used_are_a_configuration_error(setting: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="proxy or the CA file"):
        default_transport(OriginSettings(**setting))  # type: ignore[arg-type]


def openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A directory with an authority (ca.pem), another one (other.pem), and a certificate for localhost (server.pem)."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"):
        openssl(
            "req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}", cwd=tmp_path
        )
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost", cwd=tmp_path)
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    openssl("x509", "-req", "-in", "server.csr", *signed, "-out", "server.pem", cwd=tmp_path)
    (tmp_path / "bundle.pem").write_text((tmp_path / "other.pem").read_text() + (tmp_path / "ca.pem").read_text())
    return tmp_path


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl command")
async def test_every_certificate_of_the_bundle_is_trusted_and_names_are_checked(certificates: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    async with serving(lambda _: HELLO, context) as (port, _):
        async with client(ca_file=str(certificates / "bundle.pem")) as http:
            assert (await http.get(f"https://localhost:{port}/")).content == b"hello"
            with pytest.raises(httpx.ConnectError, match="not valid for name"):
                await http.get(f"https://127.0.0.1:{port}/")
        async with client(ca_file=str(certificates / "other.pem")) as http:
            with pytest.raises(httpx.ConnectError, match="UnknownIssuer"):
                await http.get(f"https://localhost:{port}/")
