"""A configuration is put in force whole, or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mirror.config import load
from mirror.errors import ConfigError
from mirror.operations.reloading import Commit, Loaded, Reloading
from mirror.settings import Config

MIRROR = '[mirrors.{}]\necosystem = "http"\nupstream = "http://upstream.test"\n'


class Parts:
    """Two parts of a server, and what is in force in each; the second may refuse."""

    def __init__(self, reloading: Reloading) -> None:
        self.first = self.second = ""
        self.refuse = False
        self.asked_in: set[int] = set()
        reloading.parts += [self._first, self._second]

    def _first(self, loaded: Loaded) -> Commit:
        self.asked_in.add(threading.get_ident())
        return lambda: setattr(self, "first", loaded.config.mirrors[0].name)

    def _second(self, loaded: Loaded) -> Commit:
        if self.refuse:
            raise ConfigError(["it cannot be had"])
        return lambda: setattr(self, "second", loaded.config.mirrors[0].name)


class House:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "config.toml"
        self.write(MIRROR.format("a"))
        self.reloading = Reloading(Loaded.first(load(self.path), 5.0), self.read, lambda: 7.0)
        self.parts = Parts(self.reloading)
        self.told: list[str] = []
        self.reloading.refused = self.told.append
        self.reading: Callable[[], None] = lambda: None

    def write(self, text: str) -> None:
        self.path.write_text(text)

    def read(self) -> Config:
        self.reading()
        return load(self.path)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_all_parts_have_the_new_one(house: House) -> None:
    house.write(MIRROR.format("b"))
    reloaded = await house.reloading.reload()
    assert (reloaded.changed, reloaded.restart) == (("mirrors.a", "mirrors.b"), ())
    assert (house.parts.first, house.parts.second) == ("b", "b")
    assert (house.reloading.loaded.at, house.reloading.loaded.number) == (7.0, 1)
    assert house.reloading.loaded.names == ("a", "b")


@pytest.mark.parametrize("how", ["the file", "a part", "no file"])
async def test_what_is_wrong_anywhere_leaves_all_parts_as_they_were(house: House, how: str) -> None:
    house.write("nonsense" if how == "the file" else MIRROR.format("b"))
    house.parts.refuse = how == "a part"
    if how == "no file":
        house.path.unlink()
    before = house.reloading.loaded
    with pytest.raises(ConfigError):
        await house.reloading.reload()
    assert (house.parts.first, house.parts.second) == ("", "")
    assert house.reloading.loaded is before
    assert house.told == [house.reloading.error]
    house.parts.refuse = False
    house.write(MIRROR.format("c"))
    await house.reloading.reload()
    assert house.reloading.error == ""


async def test_reading_and_making_ready_hold_up_nobody(house: House) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        arrived.set()
        go_on.wait(10)

    house.reading = wait
    reloading = asyncio.ensure_future(house.reloading.reload())
    await asyncio.to_thread(arrived.wait, 10)
    assert not reloading.done()  # and we are here
    go_on.set()
    await reloading
    assert threading.get_ident() not in house.parts.asked_in


async def test_two_at_a_time_are_one_after_the_other(house: House) -> None:
    await asyncio.gather(*(house.reloading.reload() for _ in range(5)))
    assert house.reloading.loaded.number == 5


async def test_others_are_given_what_is_in_force_and_take_nothing_older(house: House) -> None:
    given: list[Loaded] = []

    async def spread(loaded: Loaded) -> None:
        assert house.parts.second == loaded.config.mirrors[0].name
        given.append(loaded)

    house.reloading.spread = spread
    for name in ("b", "c"):
        house.write(MIRROR.format(name))
        await house.reloading.reload()
    other = Reloading(Loaded.first(house.read()), house.read)
    parts = Parts(other)
    for loaded in (given[1], given[0]):
        await other.take(loaded)
    assert (parts.first, parts.second, other.loaded) == ("c", "c", given[1])
