"""npm's audits through a real server: the bytes as the client has packed them, and no clean bill from nobody."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Waiting, post, until
from tests.instruments.server import Served, served

BULK = "/npm/-/npm/v1/security/advisories/bulk"
BODY = gzip.compress(b'{"thing":["1.0.0"]}', mtime=0)
PACKED = ("Content-Type: application/json", "Content-Encoding: gzip")
MiB = 1 << 20


@pytest.fixture(scope="module")
def registry() -> Iterator[Waiting]:
    origin = Waiting()
    yield origin
    origin.listener.close()


@pytest.fixture(scope="module")
def server(registry: Waiting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = f'[cache]\nmin_free = "1MB"\n[mirrors.npm]\necosystem = "npm"\nupstream = "{registry.url}"\n'
    with served(tmp_path_factory.mktemp("audit"), config) as running:
        yield running


@pytest.fixture
def npm(server: Served) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        yield connection


def audit(*fields: str, path: str = BULK) -> bytes:
    return post(*PACKED, "Authorization: Bearer secret", "Cookie: a=b", "npm-session: x", *fields, path=path)


@pytest.mark.parametrize("name", ["advisories/bulk", "audits/quick", "audits"])
def test_a_packed_body_arrives_byte_for_byte_with_its_coding(registry: Waiting, npm: socket.socket, name: str) -> None:
    path = f"/-/npm/v1/security/{name}"
    npm.sendall(audit(f"Content-Length: {len(BODY)}", path=f"/npm{path}") + BODY)
    with registry.accept() as origin:
        head, _, body = until(origin, BODY).partition(b"\r\n\r\n")
        origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n" + b'{"a":[]}')
        answer = until(npm, b'{"a":[]}')
    first, *lines = head.decode().lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    assert (first, body) == (f"post {path} http/1.1", BODY)
    assert (fields["content-encoding"], fields["content-type"]) == ("gzip", "application/json")
    assert {"authorization", "cookie", "npm-session"}.isdisjoint(fields)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"content-type: application/json\r\n" in answer


def test_a_body_of_unknown_length_arrives_byte_for_byte(registry: Waiting, npm: socket.socket) -> None:
    chunk = f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n0\r\n\r\n"
    npm.sendall(audit("Transfer-Encoding: chunked") + chunk)
    with registry.accept() as origin:
        head, _, body = until(origin, b"\r\n0\r\n\r\n").partition(b"\r\n\r\n")
        origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        assert until(npm, b"{}").startswith(b"HTTP/1.1 200 ")
    assert b"content-encoding: gzip" in head.lower()
    assert body == chunk


@pytest.mark.parametrize("status", [b"405 Method Not Allowed", b"502 Bad Gateway", b"503 Service Unavailable"])
def test_a_registry_that_audits_nothing_is_believed(registry: Waiting, npm: socket.socket, status: bytes) -> None:
    npm.sendall(audit(f"Content-Length: {len(BODY)}") + BODY)
    with registry.accept() as origin:
        until(origin, BODY)
        origin.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno")
        answer = until(npm, b"no")
    assert answer.startswith(b"HTTP/1.1 " + status[:4])


def test_a_registry_that_hangs_up_has_found_nothing_out(registry: Waiting, npm: socket.socket) -> None:
    npm.sendall(audit(f"Content-Length: {len(BODY)}") + BODY)
    with registry.accept() as origin:
        until(origin, BODY)
    head, _, body = until(npm, b"}").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 502 ")
    assert json.loads(body)["error"]


def test_a_body_that_says_it_is_too_large_is_refused_unread(npm: socket.socket) -> None:
    npm.sendall(audit(f"Content-Length: {16 * MiB + 1}"))
    head, _, body = until(npm, b"}").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert "too many" in json.loads(body)["error"]


def test_a_body_that_gets_too_large_is_refused(registry: Waiting, npm: socket.socket) -> None:
    npm.sendall(audit("Transfer-Encoding: chunked"))
    with registry.accept() as origin:
        until(origin, b"\r\n\r\n")
        origin.settimeout(10)
        for _ in range(17):
            npm.sendall(f"{MiB:x}\r\n".encode() + b"x" * MiB + b"\r\n")
            left = 0 if _ == 16 else MiB
            while left > 0 and (piece := origin.recv(65536)):
                left -= len(piece)
        assert until(npm, b"}").startswith(b"HTTP/1.1 413 ")
