"""Explain from the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.page.asking import FRESH, fill
from tests.page.browser import Sight

if TYPE_CHECKING:
    from tests.instruments.process import Abroad
    from tests.instruments.server import Served

pytestmark = pytest.mark.asyncio


async def explain(seen: Sight, url: str) -> None:
    await seen.page.fill("#explain-url", url)
    await seen.page.press("#explain-url", "Enter")


async def test_an_address_is_explained_with_what_is_stored(seen: Sight, mirror: Served) -> None:
    target = f"/o/obj/a/12345?{FRESH}"
    await fill(mirror, target)
    await explain(seen, target)
    await seen.told("#explain-body .state", "hit")
    told = (await seen.texts("#explain-body"))[0]
    assert "12.3 KB" in told.replace("\u00a0", " ")
    assert "Freshness" in told
    assert await seen.page.locator("#explain-purge:visible").count() == 1


async def test_the_url_of_an_upstream_is_explained_too(seen: Sight, origin: Abroad) -> None:
    await explain(seen, origin.url(f"/obj/b/100?{FRESH}"))
    await seen.told("#explain-body .state", "miss")
    await seen.told("#explain-body", "/o/obj/b/100")
    assert await seen.page.locator("#explain-warm:visible").count() == 1


async def test_what_cannot_be_meant_is_told_with_the_reason(seen: Sight) -> None:
    await explain(seen, "/nowhere/x")
    await seen.told("#explain-body", "neither below a mirror")
    assert len(seen.errors) == 1  # the browser's own line of the 400
    seen.errors.clear()


async def test_from_an_explanation_to_its_purge(seen: Sight, mirror: Served) -> None:
    target = f"/o/obj/a/1000?{FRESH}"
    await fill(mirror, target)
    await explain(seen, target)
    await seen.page.click("#explain-purge")
    await seen.told("#purge-title", "Purge 1 entry, 4.10 KB?")
    assert await seen.texts("#purge-list li") == [target]
