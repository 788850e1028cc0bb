"""The file system is asked what is free: each time where little is, and now and then where there is plenty."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from mirror.evict import Room
from mirror.limits import Limits
from mirror.stores.volume import FILES, MOMENT, PLENTY, Volume
from tests.instruments.clock import Clock

LEAST = 5000
"""Bytes that are needed."""


class Disk:
    """A file system with blocks of one byte, `free` of them, and room for `files`; None: it cannot be asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock(100.0)
        self.free: int | None = LEAST + PLENTY
        self.files, self.most = FILES, 1 << 20
        self.asked = 0
        self.volume = Volume(Path("/cache"), self.clock)
        monkeypatch.setattr(os, "statvfs", self._answer)

    def _answer(self, path: Path) -> SimpleNamespace:
        assert path == Path("/cache")
        self.asked += 1
        if self.free is None:
            raise OSError(5, "Input/output error")
        return SimpleNamespace(f_bavail=self.free, f_frsize=1, f_favail=self.files, f_files=self.most)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_where_there_is_plenty_an_answer_holds_for_a_moment(disk: Disk) -> None:
    """Seen red: asked each time, and never again."""
    assert disk.volume.free(LEAST) == LEAST + PLENTY
    disk.free = 7
    disk.clock.wind(MOMENT / 2)
    assert (disk.volume.free(LEAST), disk.asked) == (LEAST + PLENTY, 1)
    disk.clock.wind(MOMENT / 2)
    assert (disk.volume.free(LEAST), disk.asked) == (7, 2)


@pytest.mark.parametrize(("free", "files"), [(LEAST + PLENTY - 1, FILES), (1 << 50, FILES - 1), (None, FILES)])
def test_where_there_is_not_it_is_asked_each_time(disk: Disk, free: int | None, files: int) -> None:
    """Seen red: without either condition."""
    disk.free, disk.files = free, files
    assert disk.volume.free(LEAST) == (free or 0)
    disk.free, disk.files = 9, 3
    assert (disk.volume.free(LEAST), disk.volume.files(), disk.asked) == (9, 3, 2)


def test_what_cannot_be_asked_has_nothing(disk: Disk) -> None:
    disk.free = None
    assert (disk.volume.free(LEAST), disk.volume.files()) == (0, 0)


def test_files_that_nobody_counts_are_enough(disk: Disk) -> None:
    disk.files = disk.most = 0
    assert disk.volume.free(LEAST) == LEAST + PLENTY
    assert disk.volume.files() > FILES


async def test_what_needs_more_than_is_free_evicts_no_more_than_it_must(disk: Disk) -> None:
    """Seen red: where an answer of a moment ago counts for whoever asks."""
    disk.free = 10 * PLENTY
    room = Room(Limits(1 << 50, min_free=0), free=disk.volume.free, files=disk.volume.files)
    evicted = []

    async def evict(name: str) -> None:
        room.remove(name)
        evicted.append(name)
        disk.free = (disk.free or 0) + PLENTY

    room.evict = evict
    room.count([(f"{number}", PLENTY) for number in range(9)])
    assert room.told()[2] == 10 * PLENTY
    await room.reservation().grow(12 * PLENTY)
    assert evicted == ["0", "1"]
