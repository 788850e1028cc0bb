"""Chromium, as Debian has it, with one page at a time that is watched: what it asks, what it complains about."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 400, "height": 800}
AXE = "axe-core@4"

_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


@dataclass
class Sight:
    """An open page, and what was seen of it: `errors` on its console, the `origins` that it asked."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)

    async def open(self) -> Sight:
        """Go to the page, and wait until it is connected and has heard the first figures."""
        await self.page.goto(f"{self.address}/-/")
        await self.page.wait_for_selector("body[data-connection=live]")
        await self.page.wait_for_selector("#up-state")
        return self

    async def texts(self, selector: str) -> list[str]:
        return [" ".join(text.split()) for text in await self.page.locator(selector).all_inner_texts()]

    async def until(self, holds: str) -> None:
        """Wait until a JavaScript expression is true. (Playwright's own waiting evaluates text, which the policy of the
        page forbids.)"""
        async with asyncio.timeout(15):
            while not await self.page.evaluate(holds):  # noqa: ASYNC110  the browser is another process
                await asyncio.sleep(0.02)

    async def told(self, selector: str, words: str) -> None:
        """Wait until that element says these words, or more."""
        await self.page.locator(selector, has_text=words).first.wait_for()

    async def focused(self) -> str:
        """The id of the element that has the focus, or what it says."""
        found: str = await self.page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        return found

    async def sideways(self) -> int:
        """How many pixels the page is wider than its window."""
        found: int = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser with a profile of its own; a skip where there is none."""
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        pytest.skip("playwright is not installed")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def sight(browser: Browser, address: str, size: dict[str, int] = WIDE, **options: Any) -> AsyncIterator[Sight]:
    """A page, not gone to yet, in a context (storage, cache) of its own."""
    context = await browser.new_context(viewport=size, **options)
    context.set_default_timeout(15_000)
    page = await context.new_page()
    seen = Sight(page, address)
    await page.add_init_script(_VIOLATIONS)
    page.on("console", lambda said: seen.errors.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", lambda asked: seen.origins.add(_origin(asked.url)))
    try:
        yield seen
    finally:
        await context.close()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return "" if parts.scheme in ("data", "blob") else f"{parts.scheme}://{parts.netloc}"


def fetch_axe(folder: Path) -> None:
    """Have this machine's npm fetch axe-core into `folder`; a skip where there is no npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: it fetches axe-core")
    options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    command = ["npm", "install", *options, AXE]
    subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=120)


async def violations(seen: Sight, source: str) -> list[str]:
    """What axe finds wrong with the page as it is now: a line for each rule, with where."""
    await seen.page.evaluate(source)
    found: dict[str, Any] = await seen.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {json.dumps([node['html'][:120] for node in one['nodes'][:5]])}"
        for one in found["violations"]
    ]
