"""pip in two ages, uv and Poetry before the gate: what is fresh or stolen they do not get, lock file or not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.e2e.guard import AGES, NEWER, OLDER, Guard, guarded
from tests.e2e.python_clients import Client
from tests.e2e.python_shops import Bought, Pip, Poetry, Shop, Uv
from tests.instruments.python_index import PythonIndex, python_index
from tests.instruments.python_packages import File, Project, wheel

pytestmark = [pytest.mark.timeout(300), pytest.mark.row(51)]
TOOLS = {"pip": Pip, "newest pip": Pip, "uv": Uv, "poetry": Poetry}
LIVE = {"newest pip": "newest_pip", "poetry": "poetry_python"}
"""Those that are fetched, and the fixture that does."""
PARAMETERS = {tool: pytest.param(tool, marks=[pytest.mark.live] * (tool in LIVE)) for tool in TOOLS}
each = pytest.mark.parametrize("tool", PARAMETERS.values())
newest = pytest.mark.parametrize("tool", [PARAMETERS[tool] for tool in TOOLS if tool != "pip"])
"""The older pip differs in how it reads pages, not in what it makes of a refused file."""

TOLD = {
    # pip and Poetry print the status and its reason phrase, which is HTTP's own
    "newest pip": ("ERROR: HTTP error 403 while getting {address}", "403 Client Error: Forbidden for url: {address}"),
    "uv": ("Server message: Blocked by mirror policy", "{reason}"),
    "poetry": ("403 Client Error: Forbidden for url: {address}",),
}
"""What each prints where a file is refused."""
INVISIBLE = {
    # it is in no index that they see, so nobody has told them why
    "pip": "No matching distribution found for {package}==2.0.0",
    "newest pip": "No matching distribution found for {package}==2.0.0",
    "uv": "there is no version of {package}==2.0.0",
    "poetry": "{package} (2.0.0) which doesn't match any versions",
}
UNLISTED = {
    "newest pip": INVISIBLE["newest pip"],
    "poetry": "Unable to find installation candidates for {package} (2.0.0)",
}
"""The same of a lock file, where it has versions and hashes only."""


@dataclass(frozen=True, slots=True)
class Sold:
    """A package of which there are two wheels, and the client that wants it."""

    guard: Guard
    index: PythonIndex
    package: str
    newer: File
    shop: Shop

    @property
    def path(self) -> str:
        """Of the newer wheel."""
        return f"/m/files{self.newer.path}"

    def refused(self, tool: str) -> None:
        """The lock file's client is refused at the file's own address, and says of the reason what it can."""
        since = self.guard.seen()
        got = self.shop.frozen()
        assert got.version == "", got.said
        self.guard.refused(self.path, since)
        reason, address = self.guard.reason(self.path), self.guard.server.url(self.path)
        assert self.package in reason
        for line in TOLD[tool]:
            assert line.format(reason=reason, address=address) in flowing(got), got.said

    def pages(self) -> list[int]:
        """How the index has answered for the page."""
        return [record.status for record in self.index.gets(f"/simple/{self.package}/")]


def flowing(got: Bought) -> str:
    """What was printed, without the line breaks."""
    return " ".join(got.said.replace("│", " ").split())


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Guard, PythonIndex]]:
    with python_index("real", filled=False) as index:
        stolen = [named("stolen", tool) for tool in TOOLS]
        with guarded(tmp_path_factory.mktemp("guard"), "pypi", index.simple, stolen) as guard:
            yield guard, index


def named(kind: str, tool: str) -> str:
    return f"{kind}-{tool.replace(' ', '-')}"


@pytest.fixture
def sold(
    request: pytest.FixtureRequest, street: tuple[Guard, PythonIndex], tmp_path: Path, tool: str, kind: str
) -> Sold:
    """A package that nobody has asked for yet."""
    guard, index = street
    guard.shut()
    package = named(kind, tool)
    files = [
        replace(wheel(package, version), uploaded=guard.ago(days))
        for version, days in ((OLDER, 400), (NEWER, AGES.get(kind, 1)))
    ]
    index.publish(Project(package, tuple(files)))
    python = request.getfixturevalue(LIVE[tool]) if tool in LIVE else sys.executable
    shop = TOOLS[tool](Client(tmp_path, guard.server.url("/m/simple/")), python, package)
    return Sold(guard, index, package, files[1], shop)


@each
@pytest.mark.parametrize("kind", ["fresh"])
def test_a_fresh_release_is_invisible_until_it_is_old_enough(sold: Sold, tool: str) -> None:
    assert sold.shop.buy().version == OLDER
    got = sold.shop.buy(NEWER)
    assert got.version == ""
    assert INVISIBLE[tool].format(package=sold.package) in flowing(got), got.said
    before = len(sold.pages())
    sold.guard.mature()
    assert sold.shop.buy().version == NEWER
    assert set(sold.pages()[before:]) <= {304}


@newest
@pytest.mark.parametrize("kind", ["locked"])
def test_a_lock_file_that_names_a_fresh_release_is_refused_until_it_is_old_enough(sold: Sold, tool: str) -> None:
    sold.guard.open()
    sold.shop.lock(sold.guard.server.url(sold.path))
    sold.guard.store(sold.path)
    sold.guard.shut()
    sold.refused(tool)
    sold.guard.lose(sold.path)
    assert "is 1 day old" in sold.guard.reason(sold.path)
    before = len(sold.pages())
    sold.guard.mature()
    assert sold.shop.frozen().version == NEWER
    assert set(sold.pages()[before:]) <= {304}


@newest
@pytest.mark.parametrize("kind", ["stolen"])
def test_a_malicious_release_is_refused_though_it_is_old_and_stored(sold: Sold, tool: str) -> None:
    sold.guard.open()
    sold.shop.lock(sold.guard.server.url(sold.path))
    sold.guard.store(sold.path)
    sold.guard.shut()
    assert sold.shop.buy().version == OLDER
    sold.refused(tool)
    assert "MAL-2026-" in sold.guard.reason(sold.path)


@pytest.mark.live
@pytest.mark.parametrize("tool", UNLISTED)
@pytest.mark.parametrize("kind", ["hashed"])
def test_a_lock_file_without_addresses_names_what_is_not_there(sold: Sold, tool: str) -> None:
    sold.guard.open()
    sold.shop.lock()
    sold.guard.shut()
    got = sold.shop.frozen()
    assert got.version == ""
    assert UNLISTED[tool].format(package=sold.package) in flowing(got), got.said


@pytest.mark.parametrize("tool", [PARAMETERS["newest pip"], "uv"])
@pytest.mark.parametrize("kind", ["nearly"])
def test_a_client_that_has_the_page_sees_at_once_what_is_old_enough(sold: Sold) -> None:
    """From what the mirror has: nothing is asked upstream."""
    assert sold.shop.buy(cached=True).version == OLDER
    before = sold.pages()
    sold.guard.clock.wind(61)
    assert sold.shop.buy(cached=True).version == NEWER
    assert sold.pages() == before
