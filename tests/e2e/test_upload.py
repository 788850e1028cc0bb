"""Bodies on their way from a client to the origin, through a real server: as they come, whatever becomes of both."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.instruments.server import Served, http_mirror, served

MiB = 1 << 20


class Waiting:
    """An origin that a test plays by hand: it accepts one connection, on a blocking socket."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(10)
        return connection


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Waiting]]:
    origin = Waiting()
    with served(tmp_path_factory.mktemp("upload"), http_mirror(origin.url)) as server:
        yield server, origin
    origin.listener.close()


@pytest.fixture
def client(both: tuple[Served, Waiting]) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", both[0].port), timeout=10) as connection:
        yield connection


def until(connection: socket.socket, end: bytes) -> bytes:
    """What comes up to `end`, or to the end of the connection."""
    got = b""
    while not got.endswith(end) and (piece := connection.recv(65536)):
        got += piece
    return got


def post(*fields: str) -> bytes:
    return "\r\n".join(["POST /o/x HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()


def test_a_body_reaches_the_origin_before_its_end_is_sent(both: tuple[Served, Waiting], client: socket.socket) -> None:
    client.sendall(post("Content-Length: 10") + b"hello")
    with both[1].accept() as origin:
        head, _, body = until(origin, b"hello").partition(b"\r\n\r\n")
        assert (body, b"content-length: 10" in head.lower()) == (b"hello", True)
        client.sendall(b"world")
        assert until(origin, b"world") == b"world"
        origin.sendall(b"HTTP/1.1 201 Made Here\r\nContent-Length: 2\r\n\r\nok")
        answer = until(client, b"ok")
    assert answer.startswith(b"HTTP/1.1 201 Made Here\r\n")


def test_a_client_that_waits_to_be_told_is_told_to_go_on(both: tuple[Served, Waiting], client: socket.socket) -> None:
    client.sendall(post("Transfer-Encoding: chunked", "Expect: 100-continue"))
    assert until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"5\r\nhello\r\n0\r\n\r\n")
    with both[1].accept() as origin:
        assert until(origin, b"0\r\n\r\n").endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        origin.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 204 No Content\r\n")


def test_an_answer_ahead_of_the_bodys_end_is_given_at_once_and_ends_the_connection(
    both: tuple[Served, Waiting], client: socket.socket
) -> None:
    client.sendall(post("Content-Length: 1000000") + b"x" * 1000)
    with both[1].accept() as origin:
        until(origin, b"x" * 1000)
        origin.sendall(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno")
        answer = until(client, b"no")
        assert answer.startswith(b"HTTP/1.1 413 Too Much\r\n")
        assert b"connection: close" in answer
        assert client.recv(10) == b""


def test_an_origin_that_hangs_up_within_the_body_is_a_502(both: tuple[Served, Waiting], client: socket.socket) -> None:
    client.sendall(post("Content-Length: 1000000") + b"x" * 1000)
    with both[1].accept() as origin:
        until(origin, b"x" * 1000)
    assert until(client, b"}").startswith(b"HTTP/1.1 502 ")


def test_a_client_that_leaves_within_its_body_ends_the_connection_to_the_origin(
    both: tuple[Served, Waiting], client: socket.socket
) -> None:
    client.sendall(post("Content-Length: 1000000") + b"x" * 1000)
    with both[1].accept() as origin:
        until(origin, b"x" * 1000)
        client.close()
        assert origin.recv(10) == b""


def test_a_large_body_takes_no_memory(both: tuple[Served, Waiting], client: socket.socket) -> None:
    """The origin reads nothing: the client is held up when the few buffers between them are full."""
    size, sent = 256 * MiB, 0
    client.sendall(post(f"Content-Length: {size}"))
    client.settimeout(1.0)
    with both[1].accept():
        before = both[0].memory()
        with suppress(TimeoutError):
            while sent < size:
                sent += client.send(b"x" * MiB)
        assert sent < 64 * MiB
        assert both[0].memory() - before < 32 * MiB
