"""The stores of a path as a process sees them that only reads, while another one, the holder of the path's lease,
writes: what would change anything, or is not found, raises Elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

import diskcache

from mirror.changes import Changes, Mark, of_facts, of_key
from mirror.errors import Elsewhere
from mirror.evict import Limits, Room
from mirror.model import Entry, Fact
from mirror.ports import Note, Wanted
from mirror.stores import standin
from mirror.stores.disk import DiskStore
from mirror.stores.facts import FileFacts
from mirror.stores.partial import FilePartial
from mirror.stores.rows import BROKEN, readable, under

DATABASE = "index"
"""The name whose mark changes when the database may be another one: at each start of a holder."""

HOT = 20_000
MOST_USED = 20_000
"""Blobs of which it is remembered, until the holder is told, that they were used."""

T = TypeVar("T")


def reading_stores(path: Path, changes: Changes) -> ReadingStores:
    """The stores below `path`; nothing need be there yet. `changes` is in memory that is shared with the holder."""
    return ReadingStores(
        ReadingStore(path, changes), ReadingIndex(path / "index.v1", changes), ReadingFacts(path / "facts.v1", changes)
    )


@dataclass(frozen=True, slots=True)
class ReadingStores:
    """See the module."""

    store: ReadingStore
    index: ReadingIndex
    facts: ReadingFacts

    async def close(self) -> None:
        await self.store.close()
        await self.facts.close()
        await self.index.close()


class ReadingStore(DiskStore):
    """Blobs that are there. What was used is gathered for the holder, who evicts."""

    def __init__(self, path: Path, changes: Changes) -> None:
        super().__init__(path, Room(Limits(0), free=lambda _: 0), changes=changes)

    def touch(self, blob: str, now: float) -> None:
        if len(self._used) < MOST_USED:
            self._used[blob] = now

    def taken_use(self) -> dict[str, float]:
        """What was used, and when (wall clock), since this was asked last; what is deleted is let go, too."""
        self._handles.sweep()
        used, self._used = self._used, {}
        return used

    def create(self, note: Note) -> FilePartial:
        raise Elsewhere

    async def put(self, note: Note, body: bytes) -> Entry:
        raise Elsewhere

    async def resume(self, key: str) -> FilePartial | None:
        raise Elsewhere

    async def forget(self, matches: Callable[[str], bool], *, dry_run: bool = False) -> int:
        raise Elsewhere

    async def delete(self, blob: str) -> int:
        raise Elsewhere

    async def _refuse(self, blob: str) -> None:
        """Nothing: the holder finds the same, and deletes it."""

    async def note_use(self) -> None:
        """Nothing: the holder does."""


class ReadingFacts(FileFacts):
    """Facts that are there."""

    def __init__(self, path: Path, changes: Changes) -> None:
        super().__init__(path, changes)
        self._marks: dict[str, Mark] = {}

    def _listed(self, mirror: str) -> dict[str, None]:
        mark = self._marks.get(mirror)
        if mark is None or self.changes.since(mark):
            self._marks[mirror] = self.changes.mark(*of_facts(mirror))
            self._files.pop(mirror, None)
        return super()._listed(mirror)

    async def find(self, mirror: str, slots: Sequence[str], name: str) -> Fact:
        fact = await super().find(mirror, slots, name)
        if fact is None:  # a document that says more may have to be fetched
            raise Elsewhere
        return fact

    async def source(self, mirror: str, slot: str) -> str | None:
        raise Elsewhere

    async def put(self, mirror: str, slot: str, source: str, facts: Iterable[Fact], now: float) -> None:
        raise Elsewhere

    async def drop(self, mirror: str) -> None:
        raise Elsewhere

    def _remove(self, mirror: str, file: str) -> None:
        """A broken one is the holder's to remove."""


class ReadingIndex:
    """Entries by key, from the database below the folder `path`; what was asked for last in memory.

    Whatever is wrong with the database, the holder may know better: Elsewhere.
    """

    def __init__(self, path: Path, changes: Changes, hot: int = HOT) -> None:
        self.changes = changes
        self._path = path
        self._most = hot
        self._hot: OrderedDict[str, tuple[Mark, list[Entry]]] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, "mirror-index")
        self._connection: sqlite3.Connection | None = None
        self._opened: Mark = ()

    async def get(self, key: str) -> Entry | None:
        return next((entry for entry in await self.under(of_key(key)) if entry.key == key), None)

    async def under(self, address: str) -> list[Entry]:
        known = self._hot.get(address)
        if known is not None and not self.changes.since(known[0]):
            self._hot.move_to_end(address)
            return known[1]
        # Before the rows are read: whatever changes from here on makes another mark.
        mark = self.changes.mark(address, DATABASE)
        entries = []
        for key, text in await self._run(under, self._execute, address):
            entry = readable(text)
            if entry is None or entry.key != key:
                raise Elsewhere
            entries.append(entry)
        entries.sort(key=lambda entry: entry.key)
        if entries:
            self._hot[address] = (mark, entries)
            self._hot.move_to_end(address)
            if len(self._hot) > self._most:
                self._hot.popitem(last=False)
        return entries

    async def put(self, entry: Entry) -> NoReturn:
        raise Elsewhere

    async def delete(self, key: str) -> NoReturn:
        raise Elsewhere

    async def sums(self, prefix: str) -> NoReturn:
        raise Elsewhere

    async def scan(self, prefix: str = "") -> AsyncIterator[list[Entry]]:
        raise Elsewhere
        yield []

    async def page(self, wanted: Wanted, after: str, limit: int) -> NoReturn:
        raise Elsewhere

    async def outline(self, after: str) -> NoReturn:
        raise Elsewhere

    async def swap(self, changes: Sequence[tuple[Entry, Entry | None]]) -> NoReturn:
        raise Elsewhere

    async def _run(self, call: Callable[..., T], *args: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)
        except BROKEN as exc:
            raise Elsewhere from exc

    def _execute(self, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        """On the thread; the database is opened again where it may be another one, or something is wrong with it."""
        if self._connection is not None and self.changes.since(self._opened):
            self._shut()
        if self._connection is None:
            self._opened = self.changes.mark(DATABASE)
            database = (standin.found(self._path) or self._path) / diskcache.core.DBNAME
            address = f"file:{quote(str(database))}?mode=ro"
            self._connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=1.0)
        try:
            return self._connection.execute(statement, values)
        except sqlite3.Error:
            self._shut()
            raise

    def _shut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def close(self) -> None:
        with contextlib.suppress(Elsewhere):
            await self._run(self._shut)
        await asyncio.to_thread(self._thread.shutdown)
