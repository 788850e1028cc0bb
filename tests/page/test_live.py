"""What happens on the mirror is seen on the page while it happens."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.instruments.process import Abroad
from tests.instruments.server import Served, http_mirror, served
from tests.page.asking import FRESH, fill
from tests.page.browser import Sight, sight

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio

SLOW = f"/o/obj/slow/4000000?rate=800000&{FRESH}"
WIDTH = "parseFloat(document.querySelector('.fill .bar-full')?.style.width)"


async def test_a_download_is_shown_while_it_runs_and_its_bar_moves(seen: Sight, mirror: Served) -> None:
    assert await seen.texts("#fills-none") == ["Nothing is being downloaded."]
    running = asyncio.create_task(fill(mirror, SLOW))
    await seen.page.wait_for_selector(".fill")
    first: float = await seen.page.evaluate(WIDTH)
    await seen.until(f"{WIDTH} > {first + 5}")
    told = (await seen.texts(".fill"))[0]
    assert "/o/obj/slow/4000000" in told.replace(" ", "")
    assert re.search(r"of 4 MB", told)
    assert re.search(r"\d KB/s", told)
    assert "1 reader" in told
    assert await seen.page.get_attribute(".fill .bar", "aria-valuemax") == "100"
    assert await running == [200]
    await seen.page.wait_for_selector("#fills-none:visible")
    assert await seen.page.locator(".fill").count() == 0


async def test_what_was_served_fetched_and_saved_is_told(browser: Browser, tmp_path: Path, origin: Abroad) -> None:
    with served(tmp_path / "mirror", http_mirror(origin.address)) as server:
        async with sight(browser, server.address) as seen:
            await seen.open()
            await seen.told("#up-state", "Up")
            await fill(server, *[f"/o/obj/a/2000000?{FRESH}"] * 4)
            await seen.told("#total-saved", "6 MB")
            await seen.told("#total-served", "8 MB")
            await seen.told("#total-fetched", "2 MB")
            await seen.told("#total-hits", "75.0\u00a0%")
            assert await seen.page.get_attribute("#total-saved dd", "title") == "6,000,000 bytes"
            await seen.told("#mirrors tr", "/o/")
            assert seen.errors == []


async def test_an_upstream_that_is_gone_is_told_with_its_reason(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path / "mirror", http_mirror("http://127.0.0.1:9").replace("retries = 4", "retries = 0")) as server:
        async with sight(browser, server.address) as seen:
            await seen.open()
            for number in range(6):
                await fill(server, f"/o/{number}")
            await seen.told(".trouble", "Upstream down")
            await seen.told("#upstreams", "http://127.0.0.1:9")


async def test_when_the_server_is_gone_the_page_says_so_and_comes_back_by_itself(
    browser: Browser, tmp_path: Path, origin: Abroad
) -> None:
    server = Served(tmp_path / "mirror", http_mirror(origin.address))
    server.start()
    try:
        async with sight(browser, server.address) as seen:
            await seen.open()
            await asyncio.to_thread(server.stop)
            await seen.told("#connection", "Not connected")
            await seen.told(".trouble", "Not connected to the server")
            await seen.told("#up-state", "Unknown")
            await asyncio.to_thread(server.start)
            await seen.told("#connection", "Live")
            await seen.until("document.querySelectorAll('.trouble').length === 0")
            await fill(server, f"/o/obj/after/1000?{FRESH}")
            await seen.told("#total-served", "1 KB")
    finally:
        server.stop()


async def test_a_configuration_that_is_refused_is_told_until_a_good_one_is_read(
    browser: Browser, tmp_path: Path, origin: Abroad
) -> None:
    with served(tmp_path / "mirror", http_mirror(origin.address)) as server:
        file = server.folder / "config.toml"
        good = file.read_text()
        file.write_text(f"{good}\nttl = 'soon'\n")
        async with sight(browser, server.address) as seen:
            await seen.open()
            await seen.page.click("#reload")
            await seen.told("#reloaded", "Not reloaded")
            await seen.told(".trouble", "The new configuration was refused")
            await seen.told(".trouble", "soon")
            file.write_text(f"{good}\nttl = '7m'\n")
            await seen.page.click(".trouble button")
            await seen.told("#reloaded", "Reloaded; changed: mirrors.o.ttl.")
            await seen.until("document.querySelectorAll('.trouble').length === 0")


async def test_where_there_are_no_events_the_page_asks(browser: Browser, mirror: Served) -> None:
    served_before = "document.querySelector('#total-served dd').title"
    async with sight(browser, mirror.address) as seen:
        await seen.page.route("**/-/api/events", lambda route: route.fulfill(status=503, json={"detail": "50 listen"}))
        await seen.page.goto(f"{mirror.address}/-/")
        await seen.told("#connection", "Asking each 5 s")
        before = await seen.page.evaluate(served_before)
        await fill(mirror, f"/o/obj/a/1000?{FRESH}")
        await seen.until(f"{served_before} !== '{before}'")


async def test_the_charts_show_what_the_history_tells_and_can_be_read_by_keyboard(
    browser: Browser, mirror: Served
) -> None:
    samples = [
        {"at": 1_800_000_000 + 10 * number, "requests": {"HIT": 30, "MISS": 10, "ERROR": 0}, "errors": 0}
        | {"bytes_served": 40_000_000, "bytes_saved": 30_000_000, "bytes_fetched": 10_000_000}
        for number in range(360)
    ]
    async with sight(browser, mirror.address) as seen:
        told = {"step": 10, "began": 1_800_000_000, "samples": samples}
        await seen.page.route("**/-/api/history?*", lambda route: route.fulfill(json=told))
        page = (await seen.open()).page
        await page.wait_for_selector("#chart-bytes path.column.saved")
        said = await page.get_attribute("#chart-bytes svg", "aria-label")
        assert said is not None
        assert said.replace("\u00a0", " ").startswith(
            "Bytes to clients. saved: 3 MB/s now, at most 3 MB/s; fetched: 1 MB/s"
        )
        await page.focus("#chart-hits svg")
        await page.keyboard.press("ArrowLeft")
        reading = (await seen.texts("#chart-hits .reading"))[0]
        assert reading.endswith("by requests 75 % · by bytes 75 %")
        async with page.expect_request("**/-/api/history?span=day"):
            await page.click("#span button >> nth=1")
