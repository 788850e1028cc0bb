"""Advisories are read when the server runs already, and again when a file has changed; till then all is held."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.advising import Advising, Paths, known
from mirror.errors import Unavailable
from mirror.policy.advisories import Advisories
from mirror.policy.gatekeeper import Gatekeeper
from mirror.policy.rules import Policy
from tests.conftest import World
from tests.instruments.clock import eventually
from tests.instruments.gated import House, house_of
from tests.policy.builders import advisory

MAKE = Callable[..., World]


def write(path: Path, *names: str) -> None:
    told = [advisory("six", name=name, versions=["1.16.0"]) for name in names]
    path.write_text(json.dumps(told))
    os.utime(path, ns=(len(names), len(names)))  # the clock of a file system may be coarse


@pytest.fixture
async def house(make_world: MAKE) -> AsyncIterator[House]:
    async with house_of(make_world(ecosystem="pypi")) as opened:
        yield opened


def test_files_are_read_again_only_when_they_have_changed(tmp_path: Path) -> None:
    advising, file = Advising(), tmp_path / "osv.json"
    write(file, "MAL-1")
    first = advising.read((file,))
    assert first.count == 1
    assert advising.read((file,)) is first
    write(file, "MAL-1", "MAL-2")
    assert advising.read((file,)).count == 2


def test_a_file_that_comes_into_a_folder_is_a_change(tmp_path: Path) -> None:
    advising = Advising()
    assert advising.read((tmp_path,)).count == 0
    write(tmp_path / "osv.json", "MAL-1")
    assert advising.read((tmp_path,)).count == 1


@pytest.mark.parametrize("gone", [True, False])
def test_what_was_known_stays_when_nothing_can_be_read_any_more(
    tmp_path: Path, gone: bool, caplog: pytest.LogCaptureFixture
) -> None:
    advising, file = Advising(), tmp_path / "osv.json"
    write(file, "MAL-1")
    first = advising.read((file,))
    if gone:
        file.unlink()
    else:
        file.write_text("<html>gateway timeout</html>")
    assert advising.read((file,)) is first
    assert "what was known stays in force" in caplog.text
    assert "no such file" in caplog.text or "not JSON" in caplog.text


async def test_a_change_is_noticed_within_a_minute_and_given_once(tmp_path: Path) -> None:
    file, given, slept = tmp_path / "osv.json", [], []
    write(file, "MAL-1")

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            write(file, "MAL-1", "MAL-2")
        if len(slept) == 4:
            await asyncio.Event().wait()

    def take(paths: Paths, found: Advisories) -> None:
        assert paths == (file,)
        given.append(found.count)

    task = asyncio.create_task(Advising(sleep).follow(lambda: (file,), take))
    async with asyncio.timeout(30):
        while len(slept) < 4:  # noqa: ASYNC110  a thread reads it
            await asyncio.sleep(0.002)
    task.cancel()
    await asyncio.wait([task])
    assert given == [1, 2]
    assert slept == [60.0] * 4


async def test_nobody_waits_for_the_reading_when_the_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, over = threading.Event(), threading.Event()

    def slow(paths: Paths) -> Advisories:
        reading.set()
        over.wait(20)
        return Advisories()

    monkeypatch.setattr("mirror.advisories.read", slow)
    task = asyncio.create_task(Advising().follow(lambda: (Path("osv.zip"),), lambda *_: None))
    await eventually(reading.is_set)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 5)
    assert not over.is_set()
    over.set()


async def test_an_error_of_ours_is_told_and_the_files_are_looked_at_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def broken(paths: Paths) -> Advisories:
        asked.append(paths)
        raise MemoryError("too much")

    async def sleep(_: float) -> None:
        if len(asked) == 2:
            await asyncio.Event().wait()

    monkeypatch.setattr("mirror.advisories.read", broken)
    task = asyncio.create_task(Advising(sleep).follow(lambda: (tmp_path,), lambda *_: None))
    await eventually(lambda: len(asked) == 2)
    task.cancel()
    await asyncio.wait([task])
    assert "too much" in caplog.text


async def test_until_they_are_read_nothing_gets_through_and_nothing_is_refused(house: House) -> None:
    await house.given([house.file("1.16.0")])
    keeper = Gatekeeper(Policy("pypi", advised=True))
    house.world.mirror = replace(house.world.mirror, gate=keeper)
    for path in (house.file("1.16.0"), house.page, f"{house.file('1.16.0')}.metadata"):
        with pytest.raises(Unavailable, match="still being read"):
            await house.world.get(path, "")
    (house.world.mirror,) = known([house.world.mirror], Advisories())
    await house.given([house.file("1.16.0"), house.page])


async def test_where_nothing_is_refused_nobody_waits_for_them(house: House) -> None:
    house.world.mirror = replace(house.world.mirror, gate=Gatekeeper(Policy("pypi", mode="audit", advised=True)))
    await house.given([house.file("1.16.0"), house.page])
