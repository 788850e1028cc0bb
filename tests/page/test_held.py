"""What the policy keeps back, on the page: of which mirror, by which rule, why, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.instruments.python_index import python_index
from tests.instruments.server import Served, served
from tests.page.asking import get
from tests.page.browser import Sight, sight

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio

COUNT = 12
ROWS = "document.querySelectorAll('#held tr').length"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that has read the pages of so many projects, of which it gives no file; and a mirror beside it."""
    with python_index("real", filled=False) as index:
        names = [index.single(f"young{number:02}")[0].name for number in range(COUNT)]
        config = f"""
[cache]
min_free = "1MB"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{index.simple}"
allow_private = true
[mirrors.pypi.policy]
min_age = "3650d"
[mirrors.npm]
ecosystem = "npm"
upstream = "{index.simple}"
allow_private = true
"""
        with served(tmp_path_factory.mktemp("guarded"), config, 1) as server:
            assert set(get(server, *(f"/pypi/simple/{name}/" for name in names))) == {200}
            yield server


async def chosen(seen: Sight, mirror: str) -> None:
    await seen.page.wait_for_selector("#held-part:not([hidden])")
    await seen.page.select_option("#held-mirror", mirror)


async def test_what_is_held_is_shown_a_page_at_a_time_with_rule_and_end(browser: Browser, guarded: Served) -> None:
    async with sight(browser, guarded.address) as seen:
        await seen.open()
        await chosen(seen, "pypi")
        await seen.until(f"{ROWS} === 10")
        await seen.told("#held-count", "10 files and versions shown, there may be more")
        await seen.page.click("#held-more")
        await seen.until(f"{ROWS} === {COUNT}")
        assert await seen.page.locator("#held-more:visible").count() == 0
        rows = await seen.texts("#held tr")
        assert len(set(rows)) == COUNT
        for told in rows:
            assert told.startswith("cooldown /pypi/files/")
            assert "minimum age 3650 days (policy 'cooldown'), reached 2" in told
        ends = await seen.page.locator("#held td:last-child time").evaluate_all(
            "(all) => all.map((one) => one.dateTime)"
        )
        assert len(ends) == COUNT
        assert all(end > "2027" for end in ends)
        await seen.page.click("#held button.link >> nth=0")
        await seen.told("#explain-body", "minimum age 3650 days")
        assert seen.errors == []


async def test_a_mirror_of_which_nothing_is_held_says_so(browser: Browser, guarded: Served) -> None:
    async with sight(browser, guarded.address) as seen:
        await seen.open()
        await chosen(seen, "npm")
        await seen.told("#held-none", "Nothing that this mirror knows of is held.")
        assert await seen.page.locator("#held-table:visible, #held-more:visible").count() == 0
        assert seen.errors == []
