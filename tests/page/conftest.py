"""One browser for all tests of the page; a server with what is behind it for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.e2e.python_clients import fetched
from tests.instruments.process import Abroad, origin_process
from tests.instruments.server import Served, http_mirror, served
from tests.page.browser import Sight, chromium, fetch_axe, sight

if TYPE_CHECKING:
    from playwright.async_api import Browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them in the loop that the browser lives in."""
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One that ends with each file: idle, it takes a fifth of a core from the tests that follow."""
    async with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> str:
    """The source of axe-core."""
    folder = fetched(pytestconfig, "axe-core", fetch_axe)
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture(scope="session")
def origin() -> Iterator[Abroad]:
    with origin_process() as found:
        yield found


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, origin: Abroad) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("house"), http_mirror(origin.address)) as server:
        yield server


@pytest.fixture
def mirror(house: Served) -> Served:
    """A server with one mirror, `/o/`, of that origin, and nothing stored. What it has counted stays."""
    connection = HTTPConnection("127.0.0.1", house.port, timeout=20)
    connection.request("POST", "/-/api/purge", '{"everything": true}', {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()
    return house


@pytest_asyncio.fixture(loop_scope="session")
async def seen(browser: Browser, mirror: Served) -> AsyncIterator[Sight]:
    """The page of that server, open. At the end nothing must have been wrong with it, and it asked nobody else."""
    async with sight(browser, mirror.address) as found:
        yield await found.open()
        assert found.errors == []
        assert found.origins <= {mirror.address, ""}
