"""A purge from the page: what would go is shown first, then exactly that goes."""

from __future__ import annotations

import asyncio

import pytest

from tests.instruments.server import Served
from tests.page.asking import FRESH, fill, outcome
from tests.page.browser import Sight

pytestmark = pytest.mark.asyncio


def target(name: str, size: int = 1000) -> str:
    return f"/o/obj/{name}/{size}?{FRESH}"


async def look(seen: Sight, kind: str, what: str = "") -> None:
    """Have the page show what such a purge would do."""
    await seen.page.select_option("#purge-kind", kind)
    if what:
        await seen.page.fill("#purge-what", what)
    await seen.page.click("#purge-form button")


async def test_a_preview_names_count_bytes_and_entries_and_changes_nothing(seen: Sight, mirror: Served) -> None:
    kept = [target(f"a-{number}", 10_000) for number in range(3)]
    await fill(mirror, *kept, target("b"))
    await look(seen, "prefixes", "/o/obj/a-")
    await seen.told("#purge-title", "Purge 3 entries, 36.9 KB?")
    await seen.told("#purge-detail", "36,864 bytes would be freed.")
    assert sorted(await seen.texts("#purge-list li")) == kept
    assert await seen.texts("#purge-go") == ["Purge 3 entries (36.9 KB)"]
    await seen.page.click("#purge-cancel")
    assert {outcome(mirror, each) for each in kept} == {"HIT"}


async def test_what_was_shown_goes_and_nothing_else(seen: Sight, mirror: Served) -> None:
    gone, kept = [target("a-1"), target("a-2")], target("b")
    await fill(mirror, *gone, kept)
    await look(seen, "urls", "\n".join([*gone, "", " "]))
    await seen.page.click("#purge-go")
    await seen.told("#purge-title", "2 entries purged, 8.19 KB freed")
    assert [outcome(mirror, each) for each in (kept, *gone)] == ["HIT", "MISS", "MISS"]


async def test_what_is_only_expired_keeps_its_bytes(seen: Sight, mirror: Served) -> None:
    await fill(mirror, target("a"))
    await look(seen, "mirrors", "o")
    await seen.page.check("#purge-soft")
    assert await seen.texts("#purge-go") == ["Expire 1 entry"]
    await seen.page.click("#purge-go")
    await seen.told("#purge-title", "1 entry expired, the bytes are kept")
    assert outcome(mirror, target("a")) == "REVALIDATED"


async def test_what_matches_nothing_cannot_be_purged(seen: Sight) -> None:
    await look(seen, "everything")
    await seen.told("#purge-title", "Nothing would go")
    assert await seen.page.locator("#purge-go:visible").count() == 0


async def test_a_running_download_is_told_of(seen: Sight, mirror: Served) -> None:
    slow = f"/o/obj/slow/3000000?rate=500000&{FRESH}"
    running = asyncio.create_task(fill(mirror, slow))
    await seen.page.wait_for_selector(".fill")
    await look(seen, "everything")
    await seen.told("#purge-detail", "1 running download of it will reach its readers, and not be stored.")
    await seen.page.click("#purge-go")
    await seen.told("#purge-title", "0 entries purged")
    assert await running == [200]
    assert outcome(mirror, f"/o/obj/slow/3000000?{FRESH}") == "MISS"
