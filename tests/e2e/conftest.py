"""Real servers, and what is behind them: an origin played by hand, indexes, registries, archives."""

from __future__ import annotations

import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e import node_clients
from tests.e2e.apt_rig import AT_ONCE, FOR_A_SECOND, FOR_AN_HOUR, Labs, Mounts, keyed
from tests.e2e.npm_house import Place, Town
from tests.e2e.python_clients import fetched, newest
from tests.e2e.python_mirror import Mirror, mirrored
from tests.instruments.origin import Origin
from tests.instruments.python_index import Kind
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
    mounts.stop()


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
    with socket.create_connection(("127.0.0.1", both[0].port), timeout=30) as connection:
        yield connection


@pytest.fixture(scope="module")
def python_real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """A mirror, without retries, of the real index of Python packages."""
    with mirrored(tmp_path_factory.mktemp("real"), "real") as mirror:
        yield mirror


@pytest.fixture(scope="module")
def python_poor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """The same of the poor one."""
    with mirrored(tmp_path_factory.mktemp("poor"), "poor") as mirror:
        yield mirror


@pytest.fixture
def python_mirror(request: pytest.FixtureRequest, kind: Kind) -> Iterator[Mirror]:
    """The one of the two that the test's parameter `kind` names."""
    found: Mirror = request.getfixturevalue(f"python_{kind}")
    yield found
    found.forgive()


@pytest.fixture(scope="session")
def newest_pip(pytestconfig: pytest.Config) -> str:
    """A Python that has the newest pip."""
    return str(fetched(pytestconfig, "pip", partial(newest, "pip")) / "bin/python")


@pytest.fixture(scope="session")
def poetry_python(pytestconfig: pytest.Config) -> str:
    """A Python that has Poetry."""
    return str(fetched(pytestconfig, "poetry", partial(newest, "poetry")) / "bin/python")


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The newest npm, pnpm and both Yarns, as this machine's npm installs them."""
    return node_clients.fetched(tmp_path_factory.mktemp("tools"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One server with many npm mounts."""
    async with Origin() as origin:
        town = Town(origin)
        with served(tmp_path_factory.mktemp("town"), town.config) as town.server:
            yield town


@pytest.fixture(params=["real", "poor"])
def place(request: pytest.FixtureRequest, town: Town) -> Place:
    """A cold mount before a registry of each kind."""
    return town.place(request.param)


def until(connection: socket.socket, end: bytes) -> bytes:
    """What comes up to `end`, or to the end of the connection."""
    got = b""
    while not got.endswith(end) and (piece := connection.recv(65536)):
        got += piece
    return got


def post(*fields: str, method: str = "POST", path: str = "/o/x") -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()
