"""The index in SQLite, by way of diskcache: text only, one thread, and the hot entries in memory before it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial as bind
from pathlib import Path
from typing import Any, TypeVar

from mirror.changes import Changes, of_key
from mirror.errors import StoreError
from mirror.model import Entry
from mirror.stores import rows
from mirror.stores.addresses import Addresses, Known, Stored
from mirror.stores.database import TIMEOUT, Database
from mirror.stores.rows import BATCH, BROKEN, REFUSED, readable
from mirror.stores.walks import Walks

log = logging.getLogger("mirror.index")

HOT = 50_000
"""Addresses that are known in memory."""

PAUSE = 0.005
"""Seconds for which others have their turn at the thread, between portions of what takes long."""

BEHIND = 0.25
"""Seconds for which new rows are gathered, up to `BATCH`, before they are written together."""

T = TypeVar("T")


class DiskcacheIndex(Walks):
    """Entries by key in the database below the folder `path`; the `hot` last used ones in memory, too.

    An index that cannot be read is a miss. One that cannot be written is logged, and what it refused is tried again
    with what is written next. Neither is an error for a client.
    `rebuilt` is True where `start` found no database, or none that could be used: the entries must then be found again
    from the blobs. `suspect` is True once the database was found damaged while it ran, or refused a row: blobs may be
    there that it does not know.
    """

    def __init__(self, path: Path, *, timeout: float = TIMEOUT, hot: int = HOT, changes: Changes | None = None) -> None:
        self.rebuilt = False
        self.suspect = False
        self._path = path
        self._database = Database(path, timeout)
        self.changes = changes or Changes()
        # What was deleted stands there until its row is gone, and stays where the database refuses.
        self._hot = Addresses(hot)
        self._stored = Stored()
        self._pending: dict[str, Entry | None] = {}  # what the thread was not given yet to write
        self._refused: set[str] = set()  # keys whose rows the database did not take: tried again with what comes next
        self._timer: asyncio.TimerHandle | None = None
        self._quiet_until = 0.0  # monotonic seconds

    async def start(self) -> None:
        """Open the database. StoreError when the folder cannot be used at all."""
        self.rebuilt = await self._database.start()
        self.suspect = self._database.standing_in  # what is written to it is lost at the end

    async def check(self) -> None:
        """Read all of the database for damage, beside the requests, as is due after an unclean stop. A damaged one is
        moved aside: `rebuilt` is True then, and the index empty. StoreError when another cannot be opened."""
        if await self._database.replaced():
            self._hot.clear()  # or what is in memory only would be taken for a row
            self.changes.all_changed()  # other processes may read the old one still
            self.rebuilt, self.suspect = True, self._database.standing_in

    async def get(self, key: str) -> Entry | None:
        known = self._hot.get(of_key(key))
        if known is None or not (known.whole or key in known.entries):
            try:
                known = await self._load(of_key(key))
            except StoreError:
                return None
        return known.entries.get(key)

    async def under(self, address: str) -> list[Entry]:
        """See `Index.under`; StoreError when the database cannot be read."""
        known = self._hot.get(address)
        if known is None or not known.whole:
            known = await self._load(address)
        return known.all()

    async def _load(self, address: str) -> Known:
        """All that is stored under an address, in memory from now on."""
        if self._stored.lacks(address):
            known = self._hot.made(address)
            known.whole = True
            return known
        while True:
            mark = self.changes.mark(address)
            texts = await self._ask(rows.under, address)
            # 1. This reads the old row. 2. Another task deletes the key, row and all. 3. This would bring it back.
            if not self.changes.since(mark):
                break
        known = self._hot.made(address)
        known.fill(entry for key, text in texts if (entry := readable(text)) is not None and entry.key == key)
        return known

    async def put(self, entry: Entry) -> None:
        known = self._hot.made(of_key(entry.key))
        self._stored.add(of_key(entry.key))
        new = known.whole and known.entries.get(entry.key) is None
        known.entries[entry.key] = entry
        await self._changed(entry.key, entry, behind=new)

    async def adopt(self, entries: list[Entry]) -> list[str]:
        """Put those whose key has no entry, or an older one, in one transaction; the blob that each key has now.
        StoreError when the database refuses."""
        for entry in entries:
            self.changes.changed(of_key(entry.key))
            self._stored.add(of_key(entry.key))
        try:
            new = [entry for entry in entries if not self._in_memory(entry.key)]
            stand = await self._read(self._database.attempt, rows.adopt, new)
        except BROKEN as exc:
            self._broke(exc, "written")
            raise StoreError(f"the index cannot be written: {exc}") from exc
        for entry in entries:  # what was put meanwhile is in memory, and its row comes after these
            if (now := self._in_memory(entry.key)) is not None:
                stand[entry.key] = now.blob
            elif (known := self._hot.get(of_key(entry.key))) is not None and stand[entry.key] == entry.blob:
                known.entries.setdefault(entry.key, entry)
        return [stand[entry.key] for entry in entries]

    def _in_memory(self, key: str) -> Entry | None:
        known = self._hot.get(of_key(key))
        return known.entries.get(key) if known is not None else None

    async def swap(self, changes: Sequence[tuple[Entry, Entry | None]]) -> list[Entry | None]:
        """See `Index.swap`."""
        went: dict[str, Entry | None] = {}
        left = {old.key: (old, new) for old, new in changes}
        while left:
            marks = {key: self.changes.mark(of_key(key)) for key in left}
            stand = await self._ask(rows.stand, [*left])
            for key, (old, new) in list(left.items()):
                known = self._hot.peek(of_key(key))
                if known is not None and (known.whole or key in known.entries):
                    now = known.entries.get(key)
                elif self.changes.since(marks[key]):  # see `_load`
                    continue
                else:
                    now = readable(stand.get(key, ""))
                del left[key]
                if now is not None and now.blob == old.blob:
                    went[key] = now
                    self._stands(key, new)
        if went:
            with contextlib.suppress(*BROKEN):
                await asyncio.shield(self._flush())
        return [went.get(old.key) for old, _ in changes]

    def _stands(self, key: str, entry: Entry | None) -> None:
        """It is to be written. Memory says so from now on; but what nobody asked for drives nothing out of it."""
        known = self._hot.peek(of_key(key)) if entry is not None else self._hot.made(of_key(key))
        if known is not None:
            known.entries[key] = entry
        self.changes.changed(of_key(key))
        self._pending[key] = entry

    async def delete(self, key: str) -> None:
        self._hot.made(of_key(key)).entries[key] = None
        await self._changed(key, None, behind=False)

    async def _changed(self, key: str, entry: Entry | None, *, behind: bool) -> None:
        """Memory says so; the database, too, when this returns, or a moment later where it is `behind`: what is new can
        be found again from its blob."""
        self.changes.changed(of_key(key))
        self._pending[key] = entry
        if not behind:
            # It goes on when the caller is cancelled: memory says already that it is so.
            with contextlib.suppress(*BROKEN):
                await asyncio.shield(self._flush())
        elif len(self._pending) >= BATCH:
            self._flush()
        else:
            self._flush_soon()

    def _flush_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BEHIND, self._flush)

    def _flush(self) -> asyncio.Future[None]:
        """Have the thread write all that is not written yet, and some of what was refused."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pending, self._pending = self._pending, {}
        for _ in range(min(BATCH, len(self._refused))):
            key = self._refused.pop()
            known = self._hot.peek(of_key(key))
            if known is not None and key in known.entries:  # or it is found at the next start, from its blob
                pending.setdefault(key, known.entries[key])
        future = self._database.run(self._write, pending)
        future.add_done_callback(bind(self._wrote, pending))
        return future

    def _write(self, pending: dict[str, Entry | None]) -> None:
        """In one transaction; where that fails, each alone, so that what cannot be written harms itself only."""
        try:
            self._database.attempt(rows.write, pending)
        except BROKEN:
            if len(pending) == 1:
                raise
            self._write_each(pending)
        finally:
            # 1. It is told that a row changes. 2. Another process, which only reads, reads the old row. 3. It changes.
            for key in pending:
                self.changes.changed(of_key(key))

    def _write_each(self, pending: dict[str, Entry | None]) -> None:
        failed: Exception | None = None
        for key, entry in pending.items():
            try:
                self._database.attempt(rows.write, {key: entry})
            except REFUSED:
                raise  # no other one either, and each would have to wait
            except BROKEN as exc:
                failed = exc
        if failed is not None:
            raise failed

    def _wrote(self, pending: dict[str, Entry | None], future: asyncio.Future[None]) -> None:
        exc = None if future.cancelled() else future.exception()
        if isinstance(exc, BROKEN):
            self._broke(exc, "written")
            if isinstance(exc, REFUSED) and len(self._refused) < HOT:
                self._refused.update(pending)
        elif exc is None:
            for key in [key for key, entry in pending.items() if entry is None]:
                self._hot.deleted(key)
            if self._refused:
                self._flush_soon()

    async def _read(self, call: Callable[..., T], *args: Any) -> T:
        """`call(*args)` on the thread, after all writes."""
        if self._pending:
            self._flush()
        return await self._database.run(call, *args)

    async def _ask(self, call: Callable[..., T], *args: Any) -> T:
        """`call(execute, *args)` on the thread, after all writes. StoreError."""
        try:
            return await self._read(self._database.on, call, *args)
        except BROKEN as exc:
            self._broke(exc, "read")
            raise StoreError(f"the index cannot be read: {exc}") from exc

    def _broke(self, exc: Exception, what: str) -> None:
        damaged = type(exc) is sqlite3.DatabaseError  # "malformed", "not a database"
        self.suspect = self.suspect or damaged or what == "written"
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + 60
            log.warning("the index cannot be %s: %s (%s)", what, exc, type(exc).__name__)

    async def survey(self) -> None:
        """Learn in portions what is stored, so that what is not need not be looked for. Runs behind the requests."""
        last = ""
        with contextlib.suppress(*BROKEN):  # whoever looks for something is told then
            while some := await self._read(self._database.on, rows.keys, last):
                for last in some:
                    self._stored.add(of_key(last))
                await asyncio.sleep(PAUSE)
            self._stored.complete = True

    def bytes_on_disk(self) -> int:
        """Bytes that the database takes."""
        return self._database.bytes_on_disk

    async def close(self) -> None:
        """Write what is not written yet, and close the database; idempotent."""
        with contextlib.suppress(*BROKEN):
            while self._pending or self._refused:
                await self._flush()
        await self._database.close()
