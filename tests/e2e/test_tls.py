"""A real server that speaks https: what it answers is what it answers otherwise, by other means."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.instruments import bodies
from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.python_index import python_index
from tests.instruments.python_packages import INSTALLED
from tests.instruments.server import Served, http_mirror, served
from tests.instruments.tls import certified

FRESH = "cc=max-age=86400"
SMALL = f"/o/obj/a/1000?{FRESH}"
LARGE = f"/o/obj/l/20000000?{FRESH}"

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def secure(folder: Path) -> tuple[str, Path]:
    """The lines of [server], and the certificate."""
    certificate, key = certified(folder, "server")
    return f'tls_cert = "{certificate}"\ntls_key = "{key.name}"\n', certificate


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Abroad]]:
    folder = tmp_path_factory.mktemp("tls")
    lines, certificate = secure(folder)
    with (
        origin_process() as origin,
        served(folder, lines + http_mirror(origin.url()), certificate=certificate) as server,
    ):
        yield server, origin
        assert "Traceback" not in server.log()


@pytest.fixture
def connection(both: tuple[Served, Abroad]) -> Iterator[HTTPConnection]:
    connection = both[0].connect()
    yield connection
    connection.close()


def got(connection: HTTPConnection, target: str, method: str = "GET", **fields: str) -> tuple[HTTPResponse, bytes]:
    connection.request(method, target, headers=fields)
    answer = connection.getresponse()
    return answer, answer.read()


def test_a_prepared_reply_is_the_same(connection: HTTPConnection) -> None:
    """All on one connection, in the forms in which prepared replies come."""
    for target, name, size in ((SMALL, "a", 1000), (LARGE, "l", 20_000_000)):
        for _ in range(5):
            answer, body = got(connection, target)
            assert (answer.status, body == bodies.body(name, 0, size)) == (200, True)
            answer, body = got(connection, target, Range="bytes=5-9")
            assert (answer.status, body) == (206, bodies.body(name, 5, 5))
            answer, body = got(connection, target, "HEAD")
            assert (answer.status, answer.headers["content-length"], body) == (200, str(size), b"")
        assert "; hit" in answer.headers["cache-status"]


def test_curl_and_its_many_requests(both: tuple[Served, Abroad], tmp_path: Path) -> None:
    server, _ = both
    certificate = server.folder / "server.pem"
    targets = [LARGE if at % 5 else SMALL for at in range(20)]
    urls = [part for at, target in enumerate(targets) for part in ("-o", str(tmp_path / f"{at}"), server.url(target))]
    command = ["curl", "-sS", "--fail", "--cacert", str(certificate), "-w", "%{http_version} %{num_connects}\\n"]
    said = subprocess.run([*command, *urls], check=True, capture_output=True, text=True).stdout.splitlines()
    assert said == ["1.1 1", *["1.1 0"] * 19]
    for at in range(20):
        name, size = ("l", 20_000_000) if at % 5 else ("a", 1000)
        assert (tmp_path / f"{at}").read_bytes() == bodies.body(name, 0, size)


def test_pip_installs_through_it(tmp_path: Path) -> None:
    lines, certificate = secure(tmp_path)
    with python_index("real") as index:
        mirror = f'[mirrors.pypi]\necosystem = "pypi"\nupstream = "{index.simple}"\nallow_private = true\n'
        with served(tmp_path, f'{lines}[cache]\nmin_free = "1MB"\n{mirror}', certificate=certificate) as server:
            where = ["--index-url", server.url("/pypi/simple/"), "-d", str(tmp_path / "got")]
            trusting = {**os.environ, "REQUESTS_CA_BUNDLE": str(certificate)}
            pip = [sys.executable, "-m", "pip", "--isolated", "--no-cache-dir", "download", "--no-deps"]
            name = next(iter(INSTALLED))
            done = subprocess.run([*pip, *where, name], env=trusting, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert list((tmp_path / "got").iterdir())
            assert f"index-url {server.address.replace('127.0.0.1', 'localhost')}/pypi/simple/" in server.log()


@pytest.mark.row(3, at="what the client sees by https")
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_what_breaks_off_looks_broken(both: tuple[Served, Abroad], version: str) -> None:
    server, _ = both
    context = ssl.create_default_context(cafile=server.folder / "server.pem")
    for fault in ("chunked=1&noterm=1&ranges=0&etag=flip", "length=1000100&ranges=0"):
        target = f"/o/obj/broken{version[-1]}/1000000?{FRESH}&{fault}"
        with secured(server, context) as connection:
            connection.sendall(f"GET {target} HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
            with pytest.raises(ssl.SSLEOFError):  # what Python's TLS makes of a reset
                drained(connection)


def drained(connection: ssl.SSLSocket) -> None:
    while connection.recv(1 << 16):
        pass


def secured(server: Served, context: ssl.SSLContext) -> ssl.SSLSocket:
    bare = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    try:
        return context.wrap_socket(bare, server_hostname="localhost", suppress_ragged_eofs=False)
    except OSError:
        bare.close()
        raise


def test_no_old_protocols(both: tuple[Served, Abroad]) -> None:
    server, _ = both
    context = ssl.create_default_context(cafile=server.folder / "server.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # says that they are old
        old = ssl.create_default_context(cafile=server.folder / "server.pem")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
    with secured(server, context) as connection:
        assert (connection.version(), connection.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    with pytest.raises(ssl.SSLError):
        secured(server, old)


def test_what_is_too_long_is_refused(connection: HTTPConnection) -> None:
    assert got(connection, "/" + "a" * 20_000)[0].status == 414
