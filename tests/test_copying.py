"""Advisories at a URL: asked for now and then, and the last good copy stays, whatever comes instead of another one."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mirror import advisories, copying
from mirror.copies import Copy, copy
from mirror.copying import Copying
from mirror.model import Request
from tests.conftest import World
from tests.instruments.origin import Response
from tests.policy.builders import advisory

MAKE = Callable[..., World]
HOUR = 3600.0
AT = "/all.zip"


def packed(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(f"{name}.json", json.dumps(advisory("six", name=name, versions=["1.16.0"])))
    return target.getvalue()


class Published:
    """Advisories at a URL of the world's origin, and who copies them."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.copy = copy(world.origin.url(AT), folder)
        self.begin()

    def begin(self) -> None:
        """As after a restart."""
        self.copying = Copying(self.world.client, wall=self.world.clock, random=lambda: 0.5)

    def publish(self, body: bytes, tag: str, shape: str = "", status: int = 200) -> None:
        self.world.origin.route(AT, status, [("ETag", tag)], body, shape=shape)

    async def look(self, wind: float = 0.0, other: Copy | None = None) -> None:
        self.world.clock.wind(wind)
        await self.copying.look(other or self.copy, HOUR)

    @property
    def known(self) -> int:
        return advisories.read((self.copy.path,)).count

    @property
    def asked(self) -> int:
        return self.world.origin.requests(AT)


@pytest.fixture
async def published(make_world: MAKE, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Published]:
    caplog.set_level(logging.INFO, "mirror.policy")
    async with make_world().open() as world:
        made = Published(world, tmp_path / "advisories")
        made.publish(packed("MAL-1"), '"one"')
        yield made


async def test_it_is_asked_once_in_each_interval_and_only_for_what_is_new(published: Published) -> None:
    await published.look()
    await published.look(0.9 * HOUR)
    assert (published.known, published.asked) == (1, 1)
    inode = published.copy.path.stat().st_ino

    asked: list[str | None] = []

    def unchanged(request: Request) -> Response:
        asked.append(request.headers.get("if-none-match"))
        return Response(304, [("ETag", '"one"')], b"")

    published.world.origin.route(AT, body=unchanged)
    await published.look(0.2 * HOUR)
    assert (asked, published.copy.path.stat().st_ino) == (['"one"'], inode)
    published.publish(packed("MAL-1", "MAL-2"), '"two"')
    await published.look(1.1 * HOUR)
    assert published.known == 2


async def test_who_starts_anew_asks_when_the_one_before_would_have(published: Published) -> None:
    await published.look()
    published.begin()
    await published.look(0.5 * HOUR)
    assert published.asked == 1
    await published.look(0.6 * HOUR)
    assert published.asked == 2


async def test_a_copy_that_somebody_has_deleted_is_fetched_again(published: Published) -> None:
    await published.look()
    published.copy.path.unlink()
    await published.look(1.0)
    assert (published.known, published.asked) == (1, 2)


@pytest.mark.parametrize(
    ("body", "shape", "status"),
    [
        (packed("MAL-1", "MAL-2"), "cut=50%", 200),
        (packed("MAL-1", "MAL-2"), "close=1&cut=50%", 200),
        (packed("MAL-1", "MAL-2"), "reset=50%", 200),
        (packed("MAL-1", "MAL-2")[:-30], "", 200),
        (b"<html>gateway timeout</html>", "", 200),
        (b"", "", 200),
        (packed(), "", 200),
        (packed("MAL-1", "MAL-2"), "", 404),
    ],
)
async def test_the_last_good_copy_stays_and_that_is_said_once(
    published: Published, body: bytes, shape: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    await published.look()
    published.publish(body, '"bad"', shape, status)
    for _ in range(2):
        await published.look(2 * HOUR)
    assert published.known == 1
    assert [each.name for each in published.copy.path.parent.iterdir() if each.suffix == ".new"] == []
    published.begin()
    assert published.known == 1
    assert caplog.text.count("the last copy stays in force") == 1
    published.begin()
    published.publish(packed("MAL-1", "MAL-2"), '"two"')
    await published.look(2 * HOUR)
    assert published.known == 2


async def test_a_failure_is_tried_again_soon_and_its_end_is_said(
    published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    published.publish(b"no", '"bad"', status=404)
    await published.look()
    assert "there is no copy yet" in caplog.text
    published.publish(packed("MAL-1"), '"one"')
    await published.look(29.0)
    assert published.asked == 1
    await published.look(2.0)
    assert published.known == 1
    assert caplog.text.count("a new copy of") == 1


async def test_what_is_too_large_is_given_up_and_fills_no_disk(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "LARGEST", 3 << 20)
    published.publish(b"[" + b" " * (8 << 20) + b"]", '"large"')
    await published.look()
    assert [*published.copy.path.parent.iterdir()] == []


async def test_a_name_of_a_private_address_is_not_asked(
    published: Published, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = copy(published.copy.url.replace("127.0.0.1", "localhost"), tmp_path)
    await published.look(other=other)
    assert (published.asked, other.path.exists()) == (0, False)
    assert "cannot be fetched" in caplog.text
    published.world.origin.route("/moved", 302, [("Location", other.url)])
    moved = copy(published.world.origin.url("/moved"), tmp_path)
    await published.look(other=moved)
    assert (published.asked, moved.path.exists()) == (0, False)


async def test_a_disk_that_is_full_leaves_what_there_is(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    await published.look()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copying, "_synced", full)
    published.publish(packed("MAL-1", "MAL-2"), '"two"')
    await published.look(2 * HOUR)
    assert published.known == 1
