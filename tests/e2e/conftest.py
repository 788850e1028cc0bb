"""A real server between a client and an origin that a test plays by hand, each on a blocking socket; a key for APT
archives."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.apt_rig import AT_ONCE, FOR_A_SECOND, FOR_AN_HOUR, Labs, Mounts, keyed
from tests.instruments.server import Served, http_mirror, served
from tests.instruments.signer import Signer, signing


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


@pytest.fixture(scope="session")
def signer() -> Iterator[Signer]:
    """Signs what archives publish."""
    for program in ("apt-get", "gpg", "gpgv", "gpgconf"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    with signing() as signer:
        yield signer


@pytest.fixture(scope="session")
def mounts(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Iterator[Mounts]:
    """Mirrors of APT archives, one for each test."""
    totals = {AT_ONCE: 190, FOR_AN_HOUR: 1, FOR_A_SECOND: 1, keyed(signer): 15}
    mounts = Mounts(tmp_path_factory.mktemp("mounts"), totals)
    yield mounts
    mounts.server.stop()


@pytest.fixture
def labs(tmp_path: Path, signer: Signer, mounts: Mounts) -> Labs:
    """Makes mirrors with their archives: `async with labs() as lab:`."""
    return Labs(tmp_path, signer, mounts)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Waiting]]:
    origin = Waiting()
    with served(tmp_path_factory.mktemp("by_hand"), http_mirror(origin.url)) as server:
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


def post(*fields: str, method: str = "POST", path: str = "/o/x") -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()
