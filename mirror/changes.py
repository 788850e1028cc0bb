"""What has changed since it was looked at: a mark for each name, so that what was prepared from it is never used after.

Names are hashed into slots, so that an unrelated change may now and then look like one: that costs a lookup, no more.
"""

from __future__ import annotations

import mmap
import os
import random
import zlib
from collections.abc import Iterable

SLOTS = 1 << 16
SIZE = 8 * SLOTS

Mark = tuple[tuple[int, int], ...]
"""Slots and what stood in them."""


class Changes:
    """Marks of keys, blobs and mirrors' facts. A mark is taken before what it stands for is looked at.

    `memory`: SIZE bytes that several processes share, of which one makes the changes.
    """

    def __init__(self, memory: bytearray | mmap.mmap | None = None) -> None:
        self._marks = memoryview(bytearray(SIZE) if memory is None else memory).cast("Q")

    def mark(self, *names: str) -> Mark:
        return tuple((slot := _slot(name), self._marks[slot]) for name in names)

    def changed(self, *names: str) -> None:
        """Whatever was prepared from one of these before is not right any more."""
        for name in names:
            # Random, not counted: two who count at the same time would leave the mark that only one of them made.
            self._marks[_slot(name)] = random.getrandbits(64)

    def all_changed(self) -> None:
        """As `changed`, of every name there is."""
        self._marks[:] = memoryview(os.urandom(SIZE)).cast("Q")

    def since(self, mark: Mark) -> bool:
        """Whether anything changed since the mark was taken."""
        marks = self._marks
        for slot, value in mark:  # noqa: SIM110 - `any` costs three times as much, and this is asked for each hit
            if marks[slot] != value:
                return True
        return False


def of_key(key: str) -> str:
    """The name of what is stored under one address, all its variants together."""
    return key.partition(" ")[0]


def of_facts(mirror: str, slots: Iterable[str] = ()) -> tuple[str, ...]:
    """The names of what the documents in these slots say; without any: of what all of the mirror's documents say."""
    found = tuple(f"facts {mirror} {slot}" for slot in slots)
    return (_lost(mirror), *found) if found else (_any(mirror),)


def put(mirror: str, slot: str) -> tuple[str, ...]:
    """The names that change when a document comes into a slot."""
    return _any(mirror), f"facts {mirror} {slot}"


def lost(mirror: str) -> tuple[str, ...]:
    """The names that change when facts of a mirror go, whichever they were."""
    return _any(mirror), _lost(mirror)


def _any(mirror: str) -> str:
    return f"facts {mirror}"


def _lost(mirror: str) -> str:
    return f"lost facts {mirror}"


def _slot(name: str) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % SLOTS
