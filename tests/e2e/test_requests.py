"""Requests through a real server, byte by byte: upgrades that are ignored, trailers, hints, what is not possible."""

from __future__ import annotations

import socket

import pytest

from tests.e2e.conftest import Waiting, post, until
from tests.instruments.server import Served

UPGRADE = ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
BODIES = [("Content-Length: 5", b"hello"), ("Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n")]


def answer(origin: socket.socket, client: socket.socket, text: bytes) -> bytes:
    """What the client gets when the origin answers with this text."""
    origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
    return until(client, text)


class TestAnUpgradeIsIgnored:
    """RFC 9110 §7.8."""

    @pytest.mark.parametrize("together", [True, False])
    @pytest.mark.parametrize(("framing", "body"), BODIES)
    def test_its_body_arrives_whole_and_the_connection_goes_on(
        self, both: tuple[Served, Waiting], client: socket.socket, framing: str, body: bytes, together: bool
    ) -> None:
        head = post(framing, *UPGRADE, method="PUT")
        client.sendall(head + body if together else head)
        with both[1].accept() as origin:
            if not together:
                assert until(origin, b"\r\n\r\n").startswith(b"PUT /x ")
                client.sendall(body)
            assert until(origin, body).endswith(body)
            got = answer(origin, client, b"one")
        assert got.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" not in got.lower()
        client.sendall(post("Content-Length: 3") + b"two")
        with both[1].accept() as origin:
            assert until(origin, b"two").startswith(b"POST /x ")
            assert answer(origin, client, b"two").startswith(b"HTTP/1.1 200 ")

    @pytest.mark.parametrize(("framing", "body"), BODIES)
    def test_what_is_sent_behind_it_at_once_is_answered_in_turn(
        self, both: tuple[Served, Waiting], client: socket.socket, framing: str, body: bytes
    ) -> None:
        first = post(framing, *UPGRADE, method="PUT") + body
        second = post("Content-Length: 3", *UPGRADE, path="/o/y") + b"two"
        client.sendall(first + second + post(path="/o/z", method="DELETE"))
        for line, end in ((b"PUT /x ", body), (b"POST /y ", b"two"), (b"DELETE /z ", b"\r\n\r\n")):
            with both[1].accept() as origin:
                assert until(origin, end).startswith(line)
                assert answer(origin, client, line).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("trailer", [b"X-Trail: 1", b"Authorization: Basic eA=="])
def test_fields_of_a_trailer_are_nobodys(both: tuple[Served, Waiting], client: socket.socket, trailer: bytes) -> None:
    """RFC 9110 §6.5.1."""
    client.sendall(post("Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n")
    with both[1].accept() as origin:
        asked = until(origin, b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        assert trailer.partition(b":")[0].lower() not in asked.lower()
        assert answer(origin, client, b"ok").startswith(b"HTTP/1.1 200 ")


def test_a_hint_speaks_of_no_length(both: tuple[Served, Waiting], client: socket.socket) -> None:
    """RFC 9110 §8.6."""
    client.sendall(post(method="GET", path="/o/hints"))
    with both[1].accept() as origin:
        until(origin, b"\r\n\r\n")
        origin.sendall(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nLink: </s>\r\n\r\n")
        hint = until(client, b"\r\n\r\n").lower()
        assert (hint.startswith(b"http/1.1 103 "), b"link: </s>" in hint) == (True, True)
        assert b"content-length" not in hint
        assert answer(origin, client, b"ok").startswith(b"HTTP/1.1 200 ")


def test_a_refused_method_is_told_of_those_that_are_not(both: tuple[Served, Waiting], client: socket.socket) -> None:
    """RFC 9110 §15.5.6."""
    client.sendall(post(method="TRACE"))
    refusal = until(client, b"}")
    assert refusal.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nallow: GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE\r\n" in refusal
