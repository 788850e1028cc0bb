"""npm, pnpm and both Yarns before the gate: what is fresh or stolen they do not get, lock file or not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.guard import AGES, NEWER, OLDER, Guard, guarded
from tests.e2e.node_clients import NPM, needed
from tests.e2e.node_shops import WORDS, Bought, Shop
from tests.instruments.npm_registry import Registry
from tests.instruments.npm_world import Version
from tests.instruments.origin import Origin

pytestmark = [pytest.mark.timeout(300), pytest.mark.row(51), pytest.mark.asyncio(loop_scope="module")]
each = pytest.mark.parametrize("tool", [pytest.param(x, marks=[pytest.mark.live] * (x != NPM)) for x in WORDS])

TOLD = {
    "npm": ("npm error code E403", "{reason}"),
    # pnpm and the Yarns print the status alone
    "pnpm": ("ERR_PNPM_FETCH_403", "{address}: Forbidden - 403"),
    "yarn 1": ('{address}: Request failed "403 Forbidden"',),
    "yarn 4": ("Response Code: 403 (Forbidden)", "Request URL: {address}"),
}
"""What each prints where a tarball is refused."""
INVISIBLE = {
    # it is in no document that they see; but npm reads there what is left out of it, and why
    "npm": "Could not download {package}@2.0.0 due to policy violations: npm error 403 {reason}",
    "pnpm": "No matching version found for {package}@2.0.0",
    "yarn 1": 'Couldn\'t find any versions for "{package}" that matches "2.0.0"',
    "yarn 4": "No candidates found",
}


@dataclass(frozen=True, slots=True)
class Sold:
    """A package of which there are two versions, and the client that wants it."""

    guard: Guard
    registry: Registry
    package: str
    shop: Shop

    @property
    def path(self) -> str:
        """Of the newer tarball."""
        return f"/m/{self.package}/-/{self.package}-{NEWER}.tgz"

    async def refused(self, tool: str) -> None:
        """The lock file's client is refused at the tarball's own address, and says of the reason what it can."""
        since = self.guard.seen()
        got = await self.shop.frozen()
        assert got.version == "", got.said
        self.guard.refused(self.path, since)
        reason, address = self.guard.reason(self.path), self.guard.server.url(self.path)
        assert self.package in reason
        for line in TOLD[tool]:
            assert line.format(reason=reason, address=address) in flowing(got), got.said

    def pages(self) -> list[int]:
        """How the registry has answered for the document."""
        return [record.status for record in self.registry.origin.log.of(f"{self.registry.prefix}/{self.package}")]


def flowing(got: Bought) -> str:
    """What was printed, without the line breaks."""
    return " ".join(got.said.split())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Guard, Registry]]:
    needed("npm")
    async with Origin() as origin:
        registry = Registry(origin)
        stolen = [named("stolen", tool) for tool in WORDS]
        with guarded(tmp_path_factory.mktemp("guard"), "npm", registry.url, stolen) as guard:
            yield guard, registry


def named(kind: str, tool: str) -> str:
    return f"{kind}-{tool.replace(' ', '-')}"


@pytest.fixture
def sold(request: pytest.FixtureRequest, street: tuple[Guard, Registry], tmp_path: Path, tool: str, kind: str) -> Sold:
    """A package that nobody has asked for yet."""
    guard, registry = street
    guard.shut()
    package = named(kind, tool)
    for number, days in ((OLDER, 2 if kind == "new" else 400), (NEWER, AGES.get(kind, 1))):
        registry.publish(Version(package, number, published=guard.ago(days)))
    command = ["npm"] if tool == NPM else request.getfixturevalue("tools")[tool]
    return Sold(guard, registry, package, Shop(tmp_path, tool, command, guard.server.url("/m"), package))


@each
@pytest.mark.parametrize("kind", ["fresh"])
async def test_a_fresh_release_is_invisible_until_it_is_old_enough(sold: Sold, tool: str) -> None:
    assert (await sold.shop.buy()).version == OLDER
    got = await sold.shop.buy(NEWER)
    assert got.version == ""
    reason = sold.guard.reason(sold.path)
    assert INVISIBLE[tool].format(package=sold.package, reason=reason) in flowing(got), got.said
    before = len(sold.pages())
    sold.guard.mature()
    assert (await sold.shop.buy()).version == NEWER
    assert set(sold.pages()[before:]) <= {304}


@pytest.mark.parametrize("tool", [NPM])
@pytest.mark.parametrize("kind", ["new"])
async def test_npm_says_why_where_all_that_there_is_of_a_package_is_fresh(sold: Sold) -> None:
    got = await sold.shop.buy()
    status, told = sold.guard.ask(f"/m/{sold.package}")
    assert (got.version, status) == ("", 403)
    assert "minimum age 7 days" in json.loads(told)["error"]
    assert json.loads(told)["error"] in flowing(got), got.said


@each
@pytest.mark.parametrize("kind", ["locked"])
async def test_a_lock_file_that_names_a_fresh_release_is_refused_until_it_is_old_enough(sold: Sold, tool: str) -> None:
    sold.guard.open()
    await sold.shop.lock()
    sold.guard.shut()
    await sold.refused(tool)
    sold.guard.lose(sold.path)
    assert "is 1 day old" in sold.guard.reason(sold.path)
    before = len(sold.pages())
    sold.guard.mature()
    assert (await sold.shop.frozen()).version == NEWER
    assert set(sold.pages()[before:]) <= {304}


@each
@pytest.mark.parametrize("kind", ["stolen"])
async def test_a_malicious_release_is_refused_though_it_is_old_and_stored(sold: Sold, tool: str) -> None:
    sold.guard.open()
    await sold.shop.lock()
    sold.guard.shut()
    assert (await sold.shop.buy()).version == OLDER
    await sold.refused(tool)
    assert "MAL-2026-" in sold.guard.reason(sold.path)


@pytest.mark.parametrize("tool", [NPM])
@pytest.mark.parametrize("kind", ["nearly"])
async def test_a_client_that_has_the_document_sees_at_once_what_is_old_enough(sold: Sold) -> None:
    """From what the mirror has: nothing is asked upstream."""
    assert (await sold.shop.buy()).version == OLDER
    before = sold.pages()
    sold.guard.clock.wind(61)
    assert (await sold.shop.again()).version == NEWER
    assert sold.pages() == before
