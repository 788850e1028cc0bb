"""Clients that leave before there is an answer: nothing is done for them any more, and others get theirs."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.instruments import bodies
from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.server import Served, http_mirror, served

LONG = "cc=max-age=86400"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Abroad]]:
    folder = tmp_path_factory.mktemp("leaving")
    with origin_process() as origin, served(folder, http_mirror(origin.url())) as server:
        yield server, origin
        assert "Traceback" not in server.log()


def ask(server: Served, target: str) -> socket.socket:
    """A connection on which that was asked."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return connection


def until(server: Served, words: str, seconds: float = 4.0) -> str:
    """The line of the log with those words, which has to come within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := [line for line in server.log().splitlines() if words in line]:
            return found[0]
        time.sleep(0.01)  # another process
    raise AssertionError(f"no line has {words!r}")


def asked(origin: Abroad, path: str) -> None:
    """Until the origin has that request."""
    end = time.monotonic() + 5
    while not origin.requests(path):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.row(22, at="a client that leaves while the upstream is silent")
def test_who_leaves_before_there_is_an_answer_is_waited_for_no_more(pair: tuple[Served, Abroad]) -> None:
    """Seen red: the request of a client that has left waits for the upstream."""
    server, origin = pair
    path = "/obj/left/1000"
    connection = ask(server, f"/o{path}?{LONG}&wait=8")
    asked(origin, path)
    connection.close()
    line = until(server, f'"GET /o{path}')
    assert " 499 0 bytes " in line
    assert "[mirror; detail=client-left]" in line


def test_who_has_left_keeps_nobody_else_from_an_answer(pair: tuple[Served, Abroad]) -> None:
    server, origin = pair
    path = "/obj/both/1000"
    first, second = (ask(server, f"/o{path}?{LONG}&wait=5") for _ in range(2))
    asked(origin, path)
    first.close()
    until(server, f'"GET /o{path}')
    got = b""
    with second:
        while chunk := second.recv(1 << 16):
            got += chunk
    assert got.endswith(b"\r\n\r\n" + bodies.body("both", 0, 1000))
    assert origin.requests(path) == 1


def test_the_download_of_a_client_that_left_early_is_stored_all_the_same(pair: tuple[Served, Abroad]) -> None:
    server, origin = pair
    path = "/obj/stored/1000"
    first = ask(server, f"/o{path}?{LONG}&wait=5")
    asked(origin, path)
    first.close()
    until(server, f'"GET /o{path}')
    with ask(server, f"/o{path}?{LONG}&wait=5") as second:
        while second.recv(1 << 16):
            pass
    assert origin.requests(path) == 1
