"""Finds out what blobs stand on disk, in portions small enough that requests hardly notice."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import os
import time
from array import array
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from mirror.evict import Room, on_disk
from mirror.stores.shelf import USED_AGAIN

PORTION = 200
"""Files looked at in one go: a millisecond, which is what a request may have to wait for the interpreter."""

REST = 4
"""How many times as long as it worked it rests, where nobody waits for it."""

LONGEST = 0.02
"""Seconds of rest at most: what took longer than its share waited for the disk, and held up nobody."""

Run = Callable[..., Awaitable[Any]]

Found = tuple[float, str, int]
"""When a file was last used, its name, its bytes on disk."""

AGAIN = 2.0**40
"""Added to the time of what was used again, in seconds: it goes after all that was used once."""


@dataclass(slots=True)
class Folder:
    """The files of one folder, by the time of their last use: tables, because there may be millions."""

    used: array[float] = field(default_factory=lambda: array("d"))
    names: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[float, str]]:
        return zip(self.used, self.names, strict=True)


class Pace:
    """Rests after each portion of work, unless somebody is `waiting` for its end."""

    def __init__(self, waiting: Callable[[], bool] = lambda: False, rest: float = REST) -> None:
        self._waiting = waiting
        self._rest = rest
        self._began = time.monotonic()

    async def rest(self) -> None:
        worked = time.monotonic() - self._began
        await asyncio.sleep(0 if self._waiting() else min(self._rest * worked, LONGEST))
        self._began = time.monotonic()


async def count(run: Run, blobs: Path, partials: list[Found], room: Room, pace: Pace) -> list[str]:
    """Tell the room of the `partials` and of all files below `blobs`, `run`ning what blocks; the names, the next to go
    first. Files that come meanwhile may be among them, and some that go."""
    folders = [_told(room, partials)]
    for name in await run(os.listdir, blobs):
        folders.append(_told(room, await _files(run, blobs / name, pace)))
    room.counted()
    # Sorting all at once would be one call that nothing can interrupt.
    merged = heapq.merge(*folders)
    order: list[str] = []
    while some := list(islice(merged, PORTION)):
        room.arrange(name for used, name in some if used < AGAIN)
        room.arrange((name for used, name in some if used >= AGAIN), again=True)
        order += [name for _, name in some]
        await pace.rest()
    return order


def _told(room: Room, found: list[Found]) -> Folder:
    found.sort()
    room.found((name, size) for _, name, size in found)
    return Folder(array("d", (used for used, _, _ in found)), [name for _, name, _ in found])


async def _files(run: Run, folder: Path, pace: Pace) -> list[Found]:
    found: list[Found] = []
    sizes: dict[int, int] = {}  # many are alike: one number for all
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = await run(os.listdir, folder)
    for start in range(0, len(names), PORTION):
        found += await run(_some, str(folder), names[start : start + PORTION], sizes)
        await pace.rest()
    return found


def _some(folder: str, names: list[str], sizes: dict[int, int]) -> list[Found]:
    """What these files are; those that are gone are left out. Blocks."""
    some = []
    for name in names:
        with contextlib.suppress(OSError):
            status = os.lstat(f"{folder}/{name}")
            size = on_disk(status.st_size)
            used = status.st_atime + (AGAIN if status.st_atime_ns % 1000 == USED_AGAIN else 0.0)
            some.append((used, name, sizes.setdefault(size, size)))
    return some
