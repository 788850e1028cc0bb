"""Bodies on their way from a client to the origin, through a real server: as they come, whatever becomes of both."""

from __future__ import annotations

import socket
from contextlib import suppress

from tests.e2e.conftest import Waiting, post, until
from tests.instruments.server import Served

MiB = 1 << 20


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


def test_a_head_reaches_the_origin_before_its_body_has_begun(
    both: tuple[Served, Waiting], client: socket.socket
) -> None:
    client.sendall(post("Content-Length: 5"))
    with both[1].accept() as origin:
        assert until(origin, b"\r\n\r\n").startswith(b"POST /x HTTP/1.1\r\n")
        client.sendall(b"hello")
        assert until(origin, b"hello") == b"hello"
        origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert until(client, b"ok").startswith(b"HTTP/1.1 200 ")


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
