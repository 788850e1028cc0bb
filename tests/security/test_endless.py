"""An upstream that never ends: heads, interim responses, chunk sizes, trailers. It costs neither memory nor
the requests of others."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.e2e.test_edge import asking, hear, parts
from tests.instruments.server import Served, served

from .growth import growth
from .upstream import Said, Upstream, answer, endless, upstream

CONFIG = """
[cache]
min_free = "1MB"
max_object = "50MB"
[upstream]
retries = 0
head_timeout = "3s"
[mirrors.o]
ecosystem = "http"
upstream = "{0}/o"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{0}/simple"
[mirrors.npm]
ecosystem = "npm"
upstream = "{0}/npm"
"""
MB = 1_000_000
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
ENDLESS: dict[str, Said] = {
    "status line": endless(b"HTTP/1.1 200 ", b"O" * 65536, 100 * MB),
    "field": endless(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65536, 100 * MB),
    "field name": endless(b"HTTP/1.1 200 OK\r\n", b"x" * 65536, 100 * MB),
    "fields": endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 10_000, 100 * MB),
    "interim responses": endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000, 100 * MB),
    "continues": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 100 * MB),
    "blank lines": endless(b"", b"\r\n" * 30_000, 100 * MB),
}
BODIES: dict[str, Said] = {
    "chunk size": endless(CHUNKS + b"\r\n", b"0" * 65536, 100 * MB),
    "chunk extension": endless(CHUNKS + b"\r\n5;x=", b"y" * 65536, 100 * MB),
    "trailer": endless(CHUNKS + b"\r\n5\r\nhello\r\n0\r\nX: ", b"y" * 65536, 100 * MB),
    "trailers": endless(CHUNKS + b"\r\n5\r\nhello\r\n0\r\n", b"X: y\r\n" * 10_000, 100 * MB),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Upstream]]:
    with upstream() as origin:
        origin.says = {"/o/good": answer(b"good")}
        with served(tmp_path_factory.mktemp("endless"), CONFIG.format(origin.url())) as server:
            yield server, origin
            assert "Traceback" not in server.log()


@pytest.mark.row(21)
@pytest.mark.parametrize("name", ENDLESS)
def test_a_head_without_end_is_none(both: tuple[Served, Upstream], name: str) -> None:
    """Seen red: an upstream may send interim responses without end; a field of an upstream's may have any length."""
    server, origin = both
    origin.says["/o/endless"] = ENDLESS[name]
    with growth(server) as grew:
        answers = hear(server, asking("/o/endless"))[0]
    assert b"HTTP/1.1 502 " in answers
    assert len(answers) < MB
    assert grew.most <= 50 * MB
    assert parts(hear(server, asking("/o/good"))[0])[2] == b"good"


@pytest.mark.row(21)
@pytest.mark.parametrize("name", BODIES)
def test_what_frames_a_body_without_end_ends_it(both: tuple[Served, Upstream], name: str) -> None:
    """Whatever the client was given, it cannot take it for whole, and it is not stored."""
    server, origin = both
    path = f"/o/{name.replace(' ', '-')}"
    origin.says[path] = BODIES[name]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection, growth(server) as grew:
        connection.sendall(asking(path).encode())
        got, ended = b"", ""
        try:
            while piece := connection.recv(1 << 16):
                got += piece
            ended = "closed"
        except ConnectionResetError:
            ended = "reset"
        except TimeoutError:
            ended = "waits"
    assert not got.startswith(b"HTTP/1.1 200 ") or ended != "closed"
    assert grew.most <= 50 * MB
    assert parts(hear(server, asking("/o/good"))[0])[2] == b"good"
