"""Draws the pictures of the page in docs/images: `python -m tests.page.pictures [FOLDER]`, before the stub."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from tests.page.browser import Sight, chromium, sight
from tests.page.serving import serving
from tests.page.stub import Stub

FOLDER = Path(__file__).parents[2] / "docs" / "images"
DESKTOP = {"width": 1200, "height": 860}
SMALL = {"width": 1100, "height": 760}
PHONE = {"width": 390, "height": 844}


async def _plain(seen: Sight) -> None:
    await asyncio.sleep(1.5)  # bars are on their way


async def _purge(seen: Sight) -> None:
    await seen.page.fill("#search", "design")
    await seen.page.select_option("#purge-kind", "prefixes")
    await seen.page.fill("#purge-what", "/npm/package-0000")
    await seen.page.click("#purge-form button")
    await seen.page.wait_for_selector("#purge-go:visible")


async def _explain(seen: Sight) -> None:
    await seen.page.fill("#explain-url", "/pypi/simple/httpx/")
    await seen.page.click("#explain-form button")
    await seen.page.wait_for_selector("#explain-purge:visible")


SHOTS = {
    "page-light": (DESKTOP, "light", _plain, False),
    "page-dark": (DESKTOP, "dark", _plain, False),
    "page-phone": (PHONE, "light", _plain, False),
    "page-purge": (SMALL, "light", _purge, False),
    "page-explain": (SMALL, "dark", _explain, False),
    "whole-light": (DESKTOP, "light", _plain, True),
    "whole-phone": (PHONE, "dark", _plain, True),
}
KEPT = ("page-light", "page-dark", "page-phone", "page-purge")


async def draw(folder: Path, names: tuple[str, ...]) -> None:
    """Draw them into `folder`."""
    stub = Stub(error='config.toml: mirrors.npm.ttl: line 31: \'5 minutes\' is no duration ("30s", "10m", "12h")')
    with serving(stub) as address:
        async with chromium() as browser:
            for name in names:
                size, scheme, act, full = SHOTS[name]
                async with sight(browser, address, size, color_scheme=scheme) as seen:
                    await seen.open()
                    await seen.page.wait_for_selector("#entries tr")
                    await act(seen)
                    await seen.page.screenshot(path=folder / f"{name}.png", full_page=full)
                    for error in seen.errors:
                        print(name, error)


if __name__ == "__main__":
    everything = len(sys.argv) > 1
    target = Path(sys.argv[1]) if everything else FOLDER
    target.mkdir(parents=True, exist_ok=True)
    with suppress(KeyboardInterrupt):
        asyncio.run(draw(target, tuple(SHOTS) if everything else KEPT))
