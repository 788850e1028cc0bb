"""Where the server wants a token, the page asks for it, shows it, and keeps it no longer than the tab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.instruments.process import Abroad
from tests.instruments.server import Served, http_mirror, served
from tests.page.asking import FRESH, fill, outcome
from tests.page.browser import Sight, sight

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio

TOKEN = "-".join(["of", "a", "test", "0123456789" * 3])
TARGET = f"/o/obj/kept/1000?{FRESH}"


@pytest.fixture(params=["anyone", "token"])
def guarded(request: pytest.FixtureRequest, tmp_path: Path, origin: Abroad) -> Iterator[Served]:
    """A server that wants a token for changes, or for looking too."""
    admin = f'[admin]\ntoken = "{TOKEN}"\nreads = "{request.param}"\n'
    with served(tmp_path / "mirror", http_mirror(origin.address) + admin) as server:
        yield server


async def give(seen: Sight, token: str) -> None:
    await seen.page.wait_for_selector("#token-dialog[open]")
    assert await seen.focused() == "token-field"
    assert await seen.page.get_attribute("#token-field", "type") == "password"
    await seen.page.keyboard.type(token)
    await seen.page.keyboard.press("Enter")


@pytest.mark.parametrize("guarded", ["token"], indirect=True)
async def test_for_looking(browser: Browser, guarded: Served) -> None:
    async with sight(browser, guarded.address) as seen:
        await seen.page.goto(f"{guarded.address}/-/")
        await give(seen, "wrong")
        await seen.told("#token-reason", "not accepted")
        await give(seen, TOKEN)
        await seen.told("#connection", "Live")
        await seen.told("#up-state", "Up")
        await seen.page.reload()
        await seen.told("#connection", "Live")  # by the same tab it is not asked for again
        await seen.page.click("#forget-token")
        await seen.page.wait_for_selector("#token-dialog[open]")
        await seen.page.keyboard.press("Escape")
        await seen.told(".trouble", "A token is needed to look")
        assert await seen.page.evaluate("sessionStorage.length + localStorage.length") == 0


@pytest.mark.parametrize("guarded", ["anyone"], indirect=True)
async def test_for_a_purge(browser: Browser, guarded: Served) -> None:
    await fill(guarded, TARGET)
    async with sight(browser, guarded.address) as seen:
        await seen.open()
        await seen.page.fill("#purge-what", TARGET)
        await seen.page.click("#purge-form button")
        await give(seen, TOKEN)
        await seen.told("#purge-title", "Purge 1 entry, 4.10 KB?")
        await seen.page.click("#purge-go")
        await seen.told("#purge-title", "1 entry purged")
    assert outcome(guarded, TARGET) == "MISS"


@pytest.mark.parametrize("guarded", ["anyone"], indirect=True)
async def test_who_gives_none_is_told_so_and_nothing_is_purged(browser: Browser, guarded: Served) -> None:
    await fill(guarded, TARGET)
    async with sight(browser, guarded.address) as seen:
        await seen.open()
        await seen.page.fill("#purge-what", TARGET)
        await seen.page.click("#purge-form button")
        await seen.page.wait_for_selector("#token-dialog[open]")
        await seen.page.click("#token-cancel")
        await seen.told("#purge-detail", "a token is needed")
        assert await seen.page.locator("#purge-go:visible").count() == 0
    assert outcome(guarded, TARGET) == "HIT"
