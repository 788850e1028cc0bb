"""What is known in memory of the addresses that were asked for lately: which entries stand there, or that none does."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from mirror.changes import of_key
from mirror.model import Entry


class Known:
    """The entries under one address, by key; None: deleted. `whole`: there are no others than these."""

    __slots__ = ("entries", "whole")

    def __init__(self) -> None:
        self.entries: dict[str, Entry | None] = {}
        self.whole = False

    def all(self) -> list[Entry]:
        """In the order of keys: what does not vary first."""
        entries = self.entries
        return [entry for key in (sorted(entries) if len(entries) > 1 else entries) if (entry := entries[key])]

    def fill(self, stored: Iterable[Entry]) -> None:
        """These are stored, and no others. What is in memory already is newer."""
        for entry in stored:
            self.entries.setdefault(entry.key, entry)
        self.whole = True


class Stored:
    """Which addresses may have something stored, one bit for each slot of them: what was never asked for, as most of
    what is fetched, needs no look at the database. Of a million, two in a hundred look as if they were there."""

    _BITS = 26

    def __init__(self) -> None:
        self._bits = bytearray(1 << (self._BITS - 3))
        self.complete = False  # all that is stored was added

    def add(self, address: str) -> None:
        slot = self._slot(address)
        self._bits[slot >> 3] |= 1 << (slot & 7)

    def lacks(self, address: str) -> bool:
        """Nothing is stored there, for certain."""
        slot = self._slot(address)
        return self.complete and not self._bits[slot >> 3] & 1 << (slot & 7)

    def _slot(self, address: str) -> int:
        return zlib.crc32(address.encode("utf-8", "surrogatepass")) >> (32 - self._BITS)


class Addresses:
    """At most `most` of them, the least recently used first to go."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[str, Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def peek(self, address: str) -> Known | None:
        """What is known of an address; that is no use of it."""
        return self._known.get(address)

    def get(self, address: str) -> Known | None:
        """What is known of an address, which is thereby used."""
        known = self._known.get(address)
        if known is not None:
            self._known.move_to_end(address)
        return known

    def made(self, address: str) -> Known:
        """The same; with nothing in it where nothing was known."""
        known = self.get(address)
        if known is None:
            known = self._known[address] = Known()
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return known

    def deleted(self, key: str) -> None:
        """The row of a deleted entry is gone: nothing need be remembered of it."""
        known = self._known.get(of_key(key))
        if known is not None and known.entries.get(key, 0) is None:
            del known.entries[key]
            if not known.entries and not known.whole:
                del self._known[of_key(key)]

    def clear(self) -> None:
        self._known.clear()
