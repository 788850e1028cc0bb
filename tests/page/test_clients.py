"""The lines that point clients here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.instruments.server import served
from tests.page.browser import sight

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio

CONFIG = """
[mirrors.pypi]
ecosystem = "pypi"
upstream = "http://127.0.0.1:9"
[mirrors.debian]
ecosystem = "apt"
upstream = "http://127.0.0.1:9/debian"
"""


async def test_each_client_has_its_exact_line_and_a_button_copies_it(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path, CONFIG) as server:
        permitted = ["clipboard-read", "clipboard-write"]
        async with sight(browser, server.address, permissions=permitted) as seen:
            page = (await seen.open()).page
            await page.wait_for_selector(".client")
            line = f"pip config set global.index-url {server.address}/pypi/simple/"
            line += f" && pip config set global.trusted-host 127.0.0.1:{server.port}"
            assert line in await seen.texts(".client code")
            await page.click("button[aria-label='Copy the lines of pip for /pypi/']")
            await seen.told(".client button", "Copied")
            assert await page.evaluate("navigator.clipboard.readText()") == line
            await page.click("button[aria-label='Copy the lines of apt for /debian/']")
            await seen.until("navigator.clipboard.readText().then((text) => text.startsWith('deb '))")
            assert await page.evaluate("navigator.clipboard.readText()") == f"deb {server.address}/debian/ SUITE main"
