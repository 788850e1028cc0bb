"""The entries: searched, paged and chosen among very many. MIRROR_TEST_ENTRIES says among how many (20,000)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from bench.entry.made import Made, stored
from tests.instruments.process import origin_process
from tests.instruments.server import Served, http_mirror, served
from tests.page.asking import FRESH, fill, get
from tests.page.browser import Sight, sight

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(900)]  # it makes the entries, too

COUNT = int(os.environ.get("MIRROR_TEST_ENTRIES", "20000"))
SOON = 1.0
"""Seconds in which the first rows are wanted."""
ROWS = "document.querySelectorAll('#entries tr').length"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that holds so many entries."""
    folder = tmp_path_factory.mktemp("many")
    with origin_process() as origin:
        config = http_mirror(origin.address, 'max_size = "1TB"\nmin_free = "1MB"')
        with served(folder / "first", config, 1) as first:
            get(first, f"/o/obj/template/1024?{FRESH}")
        server = Served(folder / "mirror", config, 1)
        made = Made(server.cache, stored(first.cache), COUNT)
        first.cache.rename(server.cache)
        made.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


async def opened(seen: Sight) -> Sight:
    await seen.open()
    await seen.until(f"{ROWS} > 0")
    return seen


async def test_the_first_rows_are_there_soon_and_all_are_never_asked_for(browser: Browser, many: Served) -> None:
    async with sight(browser, many.address) as seen:
        await opened(seen)
        await seen.told("#entries-count", "25 entries shown, there are more")
        await seen.page.click("#more")
        await seen.until(f"{ROWS} === 125")
        shown = await seen.texts("#entries td.wide")
        assert len(set(shown)) == 125
        assert (
            await seen.page.locator("#entries button.link").nth(25).evaluate("(one) => one === document.activeElement")
        )
        assert seen.errors == []


async def test_a_search_finds_what_is_looked_for_soon_after_it_is_typed(browser: Browser, many: Served) -> None:
    typed = f"{COUNT - 7:08}.BIN"  # all others are looked at before
    async with sight(browser, many.address) as seen:
        page = (await opened(seen)).page
        times = []
        for _ in range(3):
            await page.keyboard.press("/")
            began = time.perf_counter()
            await page.keyboard.insert_text(typed)
            await seen.until(f"{ROWS} === 1")
            times.append(time.perf_counter() - began)
            await seen.told("#entries td.wide", typed.lower())
            await page.fill("#search", "")
            await seen.until(f"{ROWS} > 1")
            await page.click("h1")
        assert min(times) < SOON, times  # others use this machine too
        assert seen.errors == []


async def test_what_was_typed_last_counts_however_the_answers_come(browser: Browser, many: Served) -> None:
    async with sight(browser, many.address) as seen:
        page = (await opened(seen)).page

        async def late(route: Route) -> None:
            await seen.page.wait_for_timeout(800)
            await route.continue_()

        await page.route("**/entries?search=0000001*", late)
        await page.fill("#search", "0000001")
        await page.wait_for_timeout(300)  # it was asked for
        await page.fill("#search", "00000012.bin")
        await seen.until(f"{ROWS} === 1")
        await page.wait_for_timeout(1000)  # and would have been answered by now
        assert await page.evaluate(ROWS) == 1


async def test_where_the_server_has_not_looked_at_all_entries_yet_it_is_asked_on(
    browser: Browser, many: Served
) -> None:
    asked: list[str] = []
    async with sight(browser, many.address) as seen:
        page = (await opened(seen)).page

        async def early(route: Route) -> None:
            asked.append(route.request.url)
            if len(asked) < 3:
                await route.fulfill(json={"entries": [], "cursor": f"c{len(asked)}", "complete": False, "as_of": None})
            else:
                await route.continue_(url=route.request.url.replace("&cursor=c2", ""))

        await page.route("**/entries?search=00000012*", early)
        await page.fill("#search", "00000012.bin")
        await seen.until(f"{ROWS} === 1")
        assert ["cursor=c1" in url for url in asked[:3]] == [False, True, False]
        await seen.until("document.querySelector('#entries-count').textContent === '1 entry shown'")
        assert not await page.locator("#more").is_visible()


async def test_the_largest_and_the_oldest_are_shown(browser: Browser, many: Served) -> None:
    async with sight(browser, many.address) as seen:
        await opened(seen)
        await seen.until("document.querySelectorAll('#top tr').length === 10")
        async with seen.page.expect_request("**/entries?order=oldest*"):
            await seen.page.click("#order button >> nth=1")


async def test_chosen_entries_are_purged_and_the_others_stay(seen: Sight, mirror: Served) -> None:
    targets = [f"/o/obj/{name}/1000?{FRESH}" for name in "abcd"]
    await fill(mirror, *targets)
    await seen.page.fill("#search", "/obj/")
    await seen.until(f"{ROWS} === 4")
    await seen.page.check("#entries tr:nth-child(2) input")
    await seen.page.check("#entries tr:nth-child(3) input")
    assert await seen.texts("#purge-chosen") == ["Purge 2 chosen …"]
    await seen.page.click("#purge-chosen")
    await seen.told("#purge-title", "Purge 2 entries, 8.19 KB?")
    assert await seen.texts("#purge-list li") == targets[1:3]
    await seen.page.click("#purge-go")
    await seen.told("#purge-title", "2 entries purged")
    await seen.page.click("#purge-cancel")
    await seen.until(f"{ROWS} === 2")
    assert await seen.texts("#entries td.wide") == [targets[0], targets[3]]


async def test_all_that_are_shown_can_be_chosen_at_once(seen: Sight, mirror: Served) -> None:
    await fill(mirror, *[f"/o/obj/{name}/1000?{FRESH}" for name in "abc"])
    await seen.page.fill("#search", "obj")
    await seen.until(f"{ROWS} === 3")
    await seen.page.check("#choose-all")
    assert await seen.texts("#purge-chosen") == ["Purge 3 chosen …"]
    await seen.page.uncheck("#entries tr:nth-child(1) input")
    assert await seen.page.evaluate("document.getElementById('choose-all').indeterminate")


async def test_entries_are_told_with_state_size_and_use(seen: Sight, mirror: Served) -> None:
    target = f"/o/obj/used/123456?{FRESH}"
    await fill(mirror, *[target] * 4)
    await seen.page.fill("#search", "used")
    await seen.until(f"{ROWS} === 1")
    cells = [text.replace("\u00a0", " ") for text in await seen.texts("#entries td")]
    assert cells[1:6] == [target, "fresh", "123 KB", "just now", "in 24 h"] or cells[5].startswith("in ")
