"""The index as its users see it: entries by key, looked up, changed, and gone through in the order of keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mirror.changes import Changes
from mirror.model import Entry


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are: those whose key begins with `prefix` and has `search` in it, whatever its case, and that have
    the tag. "": any."""

    prefix: str = ""
    tag: str = ""
    search: str = ""


class Outline(NamedTuple):
    """What an entry is ordered by; `received_at` in POSIX seconds."""

    key: str
    blob: str
    size: int
    received_at: float


class Index(Protocol):
    """Entries by key. Can be lost and rebuilt from what stands in the blobs. `changes` is told of each put and delete,
    before anybody can find the entry otherwise."""

    changes: Changes

    async def get(self, key: str) -> Entry | None: ...
    async def under(self, address: str) -> list[Entry]:
        """What is stored under one address, what does not vary first. StoreError when that cannot be known."""
        ...

    async def sums(self, prefix: str) -> tuple[int, int]:
        """How many entries' keys begin with `prefix`, and how many bytes their bodies have. StoreError as `scan`."""
        ...

    async def put(self, entry: Entry) -> None: ...
    async def delete(self, key: str) -> None: ...
    def scan(self, prefix: str = "") -> AsyncIterator[list[Entry]]:
        """All entries whose key begins with `prefix`, in batches, in the order of keys."""
        ...

    async def page(self, wanted: Wanted, after: str, limit: int) -> tuple[list[Entry], str | None]:
        """The next entries that are wanted, at most `limit` of those behind the key `after`, in the order of keys; and
        the key behind which the next page begins (None: there is none). It may be short, or empty: so many entries are
        looked at, and no more. StoreError as `scan`."""
        ...

    async def outline(self, after: str) -> list[Outline]:
        """Of the next entries behind that key, as many as take no time worth the name; none: there are none."""
        ...

    async def swap(self, changes: Sequence[tuple[Entry, Entry | None]]) -> list[Entry | None]:
        """Put the second of each in the place of the first (None: delete it), in one transaction, where nothing else
        has taken its place: another head over the same blob has not. The entries that went, None where none did.
        StoreError where what stands there cannot be known."""
        ...
