"""What is fetched ahead from the page, and how far it is."""

from __future__ import annotations

import pytest

from tests.instruments.server import Served
from tests.page.asking import FRESH, fill, outcome
from tests.page.browser import Sight

pytestmark = pytest.mark.asyncio


async def test_addresses_are_fetched_ahead_and_what_failed_is_told(seen: Sight, mirror: Served) -> None:
    good, bad = f"/o/obj/warm/5000?{FRESH}", "/o/obj/warm/5000?status=404"
    await seen.page.fill("#warm-urls", f"{good}\n{bad}\n")
    await seen.page.click("#warm-form button")
    await seen.told("#warm-told", "Fetching 2 addresses.")
    await seen.told("#jobs .job", "done")
    await seen.told("#jobs .job strong", "warm: 2 of 2, 1 failed")
    await seen.page.click("#jobs summary")
    await seen.told("#jobs details li", bad)
    assert outcome(mirror, good) == "HIT"


async def test_an_entry_is_asked_for_again_from_its_explanation(seen: Sight, mirror: Served) -> None:
    target = f"/o/obj/again/1000?{FRESH}"
    await fill(mirror, target)
    await seen.page.fill("#explain-url", target)
    await seen.page.press("#explain-url", "Enter")
    await seen.page.click("#explain-refresh")
    await seen.told("#explain-told", "Begun")
    await seen.page.click("#explain-close")
    await seen.told("#jobs .job strong", "refresh: 1 of 1")
