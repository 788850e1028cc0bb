"""How the page looks and can be used: by axe in every form it takes, in the dark, on a telephone, without a mouse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.page.browser import NARROW, WIDE, Sight, sight, violations
from tests.page.serving import serving
from tests.page.stub import Stub

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio

ERROR = "config.toml: mirrors.npm.ttl: line 31: '5 minutes' is no duration"


@pytest.fixture(scope="module")
def busy() -> Iterator[str]:
    """A mirror of which there is something to show everywhere."""
    with serving(Stub(count=14, error=ERROR)) as address:
        yield address


@pytest.fixture(scope="module")
def empty() -> Iterator[str]:
    """One that has only just been started."""
    with serving(Stub(count=0, ill=False)) as address:
        yield address


async def plain(seen: Sight) -> None:
    await seen.page.wait_for_selector(".chart path.column")


async def purging(seen: Sight) -> None:
    await seen.page.select_option("#purge-kind", "mirrors")
    await seen.page.fill("#purge-what", "npm")
    await seen.page.click("#purge-form button")
    await seen.page.wait_for_selector("#purge-go:visible")


async def explaining(seen: Sight) -> None:
    await seen.page.click("#entries button.link >> nth=1")
    await seen.page.wait_for_selector("#explain-purge:visible")
    await seen.page.click("#explain-dialog summary")


async def warming(seen: Sight) -> None:
    await seen.page.fill("#warm-urls", "/npm/react")
    await seen.page.click("#warm-form button")
    await seen.page.wait_for_selector("#jobs .job")


STATES = [plain, purging, explaining, warming]


@pytest.mark.parametrize("act", STATES, ids=lambda act: act.__name__)
@pytest.mark.parametrize(
    ("scheme", "size"), [("light", WIDE), ("dark", WIDE), ("light", NARROW)], ids=["light", "dark", "narrow"]
)
async def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    browser: Browser,
    axe: str,
    busy: str,
    scheme: str,
    size: dict[str, int],
    act: Callable[[Sight], Awaitable[None]],
) -> None:
    async with sight(browser, busy, size, color_scheme=scheme, reduced_motion="reduce") as seen:
        await seen.open()
        await seen.page.wait_for_selector("#entries tr")
        await act(seen)
        assert await violations(seen, axe) == []
        assert await seen.sideways() <= 0
        assert seen.errors == []


async def test_axe_finds_nothing_where_nothing_is_stored_yet(browser: Browser, axe: str, empty: str) -> None:
    async with sight(browser, empty, NARROW) as seen:
        await seen.open()
        await seen.told("#entries-count", "Nothing")
        assert await seen.texts("#entries-count") == ["Nothing is stored yet. What clients ask for will appear here."]
        assert await violations(seen, axe) == []
        assert await seen.sideways() <= 0


async def test_axe_finds_nothing_in_the_question_for_a_token(browser: Browser, axe: str) -> None:
    with serving(Stub(count=3, token="of-a-test")) as address:  # noqa: S106
        async with sight(browser, address) as seen:
            await seen.page.goto(f"{address}/-/")
            await seen.page.wait_for_selector("#token-dialog[open]")
            assert await violations(seen, axe) == []


async def test_light_or_dark_is_as_the_system_says_until_it_is_chosen_and_then_stays(
    browser: Browser, busy: str
) -> None:
    async def background(seen: Sight) -> str:
        found: str = await seen.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return found

    async with sight(browser, busy, color_scheme="light") as seen:
        await seen.open()
        light = await background(seen)
        await seen.page.emulate_media(color_scheme="dark")
        dark = await background(seen)
        assert light != dark
        await seen.page.click("#theme")  # system -> light
        assert await background(seen) == light
        await seen.page.reload()
        assert await background(seen) == light
        await seen.page.click("#theme")  # light -> dark
        await seen.page.emulate_media(color_scheme="light")
        assert await background(seen) == dark
        await seen.page.click("#theme")  # dark -> system
        assert await background(seen) == light


async def test_a_whole_purge_is_possible_without_a_mouse(browser: Browser) -> None:
    with serving(Stub(count=50)) as address:
        async with sight(browser, address) as seen:
            page = (await seen.open()).page
            await page.wait_for_selector("#entries tr")
            await page.keyboard.press("Tab")
            assert await seen.focused() == "Skip to the content"
            await page.keyboard.press("/")
            assert await seen.focused() == "search"
            await page.keyboard.type("package-000020/")
            await seen.until("document.querySelectorAll('#entries tr').length === 1")
            for wanted in ("in-mirror", "in-state", "choose-all"):  # what is disabled is passed over
                await page.keyboard.press("Tab")
                assert await seen.focused() == wanted
            await page.keyboard.press("Space")
            await page.keyboard.press("Shift+Tab")
            assert await seen.focused() == "purge-chosen"
            await page.keyboard.press("Enter")
            await page.wait_for_selector("#purge-go:visible")
            assert await seen.focused() == "purge-cancel"
            await page.keyboard.press("Escape")
            assert await page.locator("#purge-dialog[open]").count() == 0
            assert await seen.focused() == "purge-chosen"
            await page.keyboard.press("Enter")
            await page.wait_for_selector("#purge-go:visible")
            await page.keyboard.press("Tab")
            assert await seen.focused() == "purge-go"
            await page.keyboard.press("Enter")
            await seen.told("#purge-title", "1 entry purged")
            await page.keyboard.press("Escape")
            await seen.told("#entries-count", "No entry matches.")


async def test_the_focus_can_be_seen_wherever_it_is(browser: Browser, busy: str) -> None:
    async with sight(browser, busy) as seen:
        page = (await seen.open()).page
        await page.wait_for_selector("#entries tr")
        for _ in range(40):
            await page.keyboard.press("Tab")
            outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", await seen.focused()


async def test_who_wants_less_motion_gets_none(browser: Browser, busy: str) -> None:
    async with sight(browser, busy, reduced_motion="reduce") as seen:
        page = (await seen.open()).page
        await page.wait_for_selector(".fill .bar-full")
        moving = await page.evaluate(
            "[...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).animationName !== 'none'"
            " || parseFloat(getComputedStyle(one).transitionDuration) > 0).length"
        )
        assert moving == 0


async def test_a_refused_configuration_is_told_with_the_reason(browser: Browser, busy: str) -> None:
    async with sight(browser, busy) as seen:
        await seen.open()
        await seen.page.wait_for_selector(".trouble")
        told = " ".join(await seen.texts(".trouble"))
        assert "The new configuration was refused" in told
        assert ERROR in told


async def test_ill_upstreams_come_first_with_since_when_and_why(browser: Browser, busy: str) -> None:
    async with sight(browser, busy) as seen:
        await seen.open()
        await seen.page.wait_for_selector("#upstreams tr")
        rows = await seen.texts("#upstreams tr")
        assert rows[0].startswith("down https://downloads.example.com")
        assert "21 min ago" in rows[0]
        assert "Connection refused" in rows[0]
        assert [row.split()[0] for row in rows] == ["down", "busy", "up", "up"]
        assert await seen.texts("#upstreams-count") == ["2 are ill"]
