"""Texts from outside are texts: whatever an address is made of, the page shows it and does nothing that it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.page.browser import sight
from tests.page.pretended import EVIL
from tests.page.serving import serving
from tests.page.stub import Stub

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio

SCRIPT = "<script>document.title='pwned'</script>"


async def test_markup_in_keys_reasons_and_errors_stays_text(browser: Browser) -> None:
    stub = Stub(count=20, error=SCRIPT)
    with serving(stub) as address:
        async with sight(browser, address) as seen:
            page = (await seen.open()).page
            await page.fill("#search", "<img")
            await seen.until("document.querySelectorAll('#entries tr').length === 1")
            assert EVIL in (await seen.texts("#entries .long"))[0]
            await page.check("#entries input")
            await page.click("#purge-chosen")
            await page.wait_for_selector("#purge-list .long")
            assert (await seen.texts("#purge-list"))[0] == EVIL
            await page.keyboard.press("Escape")
            await page.click("#entries button.link")
            await page.wait_for_selector("#explain-purge:visible")
            assert SCRIPT in (await seen.texts(".trouble"))[0]
            assert await page.locator("main img, dialog img, main script").count() == 0
            assert "pwned" not in await page.title()
            assert seen.errors == []


async def test_the_browser_itself_refuses_to_make_markup_of_text(browser: Browser) -> None:
    with serving(Stub(count=0)) as address:
        async with sight(browser, address) as seen:
            await seen.open()
            refused = await seen.page.evaluate(
                "(() => { try { document.body.innerHTML = '<b>x</b>'; } catch (e) { return e.name; } return ''; })()"
            )
            assert refused == "TypeError"
