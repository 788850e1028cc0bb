"""Texts from outside are texts: whatever an address is made of, the page shows it and does nothing that it says."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.instruments.server import Served
from tests.page.browser import Sight, sight
from tests.page.pretended import EVIL
from tests.page.serving import serving
from tests.page.stub import Stub

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio

MARKUP = "'><img><script>"

SCRIPT = "<script>document.title='pwned'</script>"


async def test_markup_in_keys_reasons_and_errors_stays_text(browser: Browser) -> None:
    stub = Stub(count=20, error=SCRIPT)
    with serving(stub) as address:
        async with sight(browser, address) as seen:
            page = (await seen.open()).page
            await seen.told("#held", EVIL)
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


async def test_a_path_made_of_markup_that_a_client_has_asked_for_stays_text(seen: Sight, mirror: Served) -> None:
    target = f"/o/obj/{MARKUP}/1000?cc=max-age=86400"
    with socket.create_connection(("127.0.0.1", mirror.port), timeout=30) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        while client.recv(65536):
            pass
    await seen.page.fill("#search", MARKUP)
    await seen.told("#entries td.wide", target)
    await seen.page.click("#entries button.link")
    await seen.told("#explain-body .state", "hit")
    await seen.told("#explain-title", target)
    await seen.page.click("#explain-purge")
    await seen.told("#purge-list", target)
    assert await seen.page.locator("main img, dialog img").count() == 0
    assert await seen.page.title() == "mirror"


async def test_the_browser_itself_refuses_to_make_markup_of_text(browser: Browser) -> None:
    with serving(Stub(count=0)) as address:
        async with sight(browser, address) as seen:
            await seen.open()
            refused = await seen.page.evaluate(
                "(() => { try { document.body.innerHTML = '<b>x</b>'; } catch (e) { return e.name; } return ''; })()"
            )
            assert refused == "TypeError"
