"""Blobs and partials in the file system.

cache/
├── blobs.v1/<ab>/<id>      body and footer; random id, never reused, never changed
└── partial/<id>.part       a body while bytes of it are missing: a sparse file
            <id>.json       whose it is, and which extents are on disk
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial as bind
from pathlib import Path
from typing import Any, TypeVar

from mirror.alarm import Alarm
from mirror.changes import Changes
from mirror.errors import Mismatch, StoreError
from mirror.evict import Room, on_disk
from mirror.extents import Extents
from mirror.model import Digest, Entry
from mirror.ports import Note
from mirror.shares import mirror_of
from mirror.stores.blob import AT_ONCE, FileBlob, entry_of, open_blob
from mirror.stores.codec import load_note
from mirror.stores.counting import Pace, count
from mirror.stores.files import freed_by, is_partial, read_own, remove, taken
from mirror.stores.handles import Handle, Handles, unwanted
from mirror.stores.partial import FOOTER_ROOM, FilePartial, Keeping
from mirror.stores.proving import Proofs
from mirror.stores.shelf import Durability, Made, Shelf
from mirror.stores.verifying import verify

T = TypeVar("T")


class DiskStore:
    """Blobs below `path`; what is synced before a blob becomes visible is said by `durability`."""

    def __init__(
        self,
        path: Path,
        room: Room,
        durability: Durability = "full",
        threads: int = 8,
        changes: Changes | None = None,
        alarm: Alarm | None = None,
    ) -> None:
        self._path = path
        self._shelf = Shelf(path, durability)
        self._room = room
        self._executor = ThreadPoolExecutor(threads, "mirror-disk")
        self._kept: dict[str, str] = {}  # key -> file name of the partial that waits for it
        self.alarm = alarm or Alarm()
        self._keeping = Keeping(self._commit, self._checkpoint, self._keep, self._discard, self._refused)
        self._used: dict[str, float] = {}  # blob -> wall clock of its last use, since the last `note_use`
        self._handles = Handles(self._executor)
        self._proofs = Proofs(self.run, self._handles, self._refuse)
        self.purged: list[Callable[[str], bool]] | None = None  # what was, while blobs are being adopted
        self.changes = changes or Changes()

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        """`call(*args)` on this store's threads, never on those that resolve names."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *args)

    async def start(self) -> None:
        """Make the folders and find the partials that were kept. StoreError when the path cannot be used."""
        try:
            found = await self.run(self._shelf.find_partials)
        except OSError as exc:
            raise StoreError(f"cannot use the cache at {self._path}: {exc.strerror or exc}") from exc
        self._kept = found

    async def count(self) -> list[str]:
        """Tell the room what is on disk; the ids of all blobs, the next to go first. Takes its time, unless the
        room cannot do without."""
        found = await self.run(self._scan_partials)
        kept = set(self._kept.values())  # what was resumed meanwhile is reserved, and not up for eviction
        partials = [known for known in found if known[1] in kept]
        pace = Pace(lambda: not self._room.ready)
        order = await count(self.run, self._shelf.blobs, partials, self._room, pace)
        return [name for name in order if not is_partial(name)]

    def _scan_partials(self) -> list[tuple[float, str, int]]:
        found = []
        for name in list(self._kept.values()):
            with contextlib.suppress(OSError):
                status = (self._shelf.partials / name).stat()
                found.append((status.st_atime, name, taken(self._shelf.partials / name)))
        return found

    def create(self, note: Note) -> FilePartial:
        reservation = self._room.reservation(mirror_of(note.key))
        return FilePartial(self._shelf.fresh(), note, self._executor, self._keeping, reservation)

    async def put(self, note: Note, body: bytes) -> Entry:
        reservation = self._room.reservation(mirror_of(note.key))
        try:
            await reservation.grow(on_disk(len(body) + FOOTER_ROOM), len(body))
            made = await self.run(self._shelf.put, note, body)
        except OSError as exc:
            failed = StoreError(f"cannot store {note.key}: {exc.strerror or exc}", exc.errno)
            self.alarm.refused(mirror_of(note.key), failed)
            raise failed from exc
        except StoreError as exc:
            self.alarm.refused(mirror_of(note.key), exc)
            raise
        finally:
            reservation.release()
        self.alarm.stored()
        return self._stands(made)

    def _stands(self, made: Made) -> Entry:
        self._proofs.trust(made.entry.blob, made.written)
        self._room.add(made.entry.blob, made.count, mirror_of(made.entry.key))
        return made.entry

    async def resume(self, key: str) -> FilePartial | None:
        name = self._kept.pop(key, None)
        if name is None:
            return None
        reservation = self._room.reopen(name, mirror_of(key))
        path = self._shelf.partials / name
        try:
            note, extents = load_note(await self.run(read_own, path.with_suffix(".json")))
            partial = FilePartial(path, note, self._executor, self._keeping, reservation)
            partial.extents, partial.has_note = Extents(extents), True
            await partial.open()
            status = os.fstat(partial.fd)
            if status.st_uid != os.geteuid() or status.st_nlink != 1:  # what is written to it might be another's
                await partial.close()
                raise StoreError("the partial is not ours alone")  # noqa: TRY301
            if status.st_size < max((end for _, end in extents), default=0):
                await partial.close()
                raise StoreError("the partial is shorter than its note says")  # noqa: TRY301
        except (OSError, StoreError, ValueError):  # ValueError: a digest that this Python does not know
            reservation.release()
            await self.run(remove, path)
            return None
        return partial

    def at_hand(self, blob: str) -> FileBlob | None:
        handle = self._handles.get(blob)
        return FileBlob(handle, self._executor) if handle is not None and handle.proof is None else None

    async def open(self, blob: str) -> FileBlob | None:
        handle = self._handles.get(blob) or await self._opened(blob)
        if handle is None:
            return None
        found = FileBlob(handle, self._executor)
        try:
            if found.size > AT_ONCE or await found.right():
                return found
        except BaseException:
            found.leave()
            raise
        found.leave()
        return None

    async def _opened(self, blob: str) -> Handle | None:
        if not blob.isalnum():
            return None
        opening = asyncio.ensure_future(self.run(open_blob, self._shelf.blob(blob)))
        try:
            opened = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(unwanted)
            raise
        if opened is None:
            return None
        handle = self._handles.keep(blob, *opened)
        self._proofs.begin(handle)
        return handle

    async def _refuse(self, blob: str) -> None:
        """Its bytes are not what was stored: whoever asks next fetches it again."""
        await self.delete(blob)

    async def entries(self, blobs: list[str]) -> list[Entry | None]:
        """What stands in the footer of each, None for what is no whole blob; none of them stays open."""
        return await self.run(lambda: [entry_of(self._shelf.blob(blob)) if blob.isalnum() else None for blob in blobs])

    def touch(self, blob: str, now: float) -> None:
        """The blob was used at `now` (wall clock, seconds)."""
        self._room.touch(blob)
        self._used[blob] = now

    def used_since(self, blob: str) -> bool:
        """It was stored or used since the start."""
        return self._room.used_since(blob)

    @property
    def folders(self) -> int:
        """Bytes that the folders take themselves."""
        return self._shelf.weight

    async def recent(self) -> list[str]:
        """The blobs that were stored last, before and since the start; some may be gone."""
        return await self.run(self._shelf.recent.blobs)

    def kept(self, prefix: str) -> list[str]:
        """Names of the partials that are kept for keys that begin with `prefix`."""
        return [name for key, name in self._kept.items() if key.startswith(prefix)]

    async def note_use(self) -> None:
        """Write down when blobs were last used, as their files' access times, so that a restart knows the order."""
        used, self._used = self._used, {}
        await self.run(self._shelf.write_use, used)

    async def delete(self, blob: str) -> int:
        if is_partial(blob):
            return await self.forget(lambda key: self._kept[key] == blob)
        if not blob.isalnum():
            return 0
        self._room.remove(blob)
        self._used.pop(blob, None)
        self._proofs.forget(blob)
        self._handles.drop(blob)
        self.changes.changed(blob)
        freed = await self.run(remove, self._shelf.blob(blob))
        # 1. A opens the file. 2. This drops nothing. 3. A's handle is kept. 4. The file goes.
        self._handles.drop(blob)
        return freed

    async def weigh(self, blobs: Sequence[str]) -> int:
        """The bytes that removing all of these would free."""
        paths = [self._shelf.blob(blob) for blob in blobs if blob.isalnum()]
        return await self.run(lambda: sum(map(freed_by, paths)))

    async def forget(self, matches: Callable[[str], bool], *, dry_run: bool = False) -> int:
        """Remove the kept partials of all keys that match (a purge); the bytes that this freed, or would have."""
        if dry_run:
            paths = [self._shelf.partials / name for key, name in self._kept.items() if matches(key)]
            return await self.run(lambda: sum(map(freed_by, paths)))
        if self.purged is not None:
            self.purged.append(matches)
        # Taken from `_kept` before the first wait, as `resume` does: who has the name has the file to itself.
        return await self._drop([self._kept.pop(key) for key in [key for key in self._kept if matches(key)]])

    def was_purged(self, key: str) -> bool:
        """Whether that key was purged since the start; known while blobs are being adopted."""
        return any(matches(key) for matches in self.purged or ())

    async def _drop(self, names: list[str]) -> int:
        for name in names:
            self._room.remove(name)
        return sum([await self.run(remove, self._shelf.partials / name) for name in names])

    async def _commit(self, partial: FilePartial, size: int, digest: Digest | None) -> Entry:
        try:
            await verify(partial, size, digest)  # first: also what finds no room must be right
            await partial.reserve(size)
            made = await self.run(self._shelf.make, partial, size)
        except Mismatch:
            partial.extents = Extents()  # `keep` would be a mistake now
            await self._discard(partial)
            raise
        except OSError as exc:
            raise StoreError(f"cannot store {partial.note.key}: {exc.strerror or exc}", exc.errno) from exc
        self.alarm.stored()
        partial.reservation.release()
        return self._stands(made)

    async def _checkpoint(self, partial: FilePartial) -> None:
        extents = list(partial.extents)  # before the sync: what is noted must be on disk
        await self.run(self._shelf.write_note, partial, extents)

    async def _keep(self, partial: FilePartial) -> None:
        if not partial.extents.size:
            return await self._discard(partial)
        try:
            await self._checkpoint(partial)
            size = await self.run(taken, partial.path)
        except OSError:
            return await self._discard(partial)
        partial.reservation.release()
        older = self._kept.pop(partial.note.key, None)
        self._kept[partial.note.key] = partial.path.name
        self._room.add(partial.path.name, size, mirror_of(partial.note.key))
        await self._drop([older] if older else [])
        return None

    def _refused(self, partial: FilePartial, exc: StoreError) -> None:
        self.alarm.refused(mirror_of(partial.note.key), exc)

    async def _discard(self, partial: FilePartial) -> None:
        partial.reservation.release()
        await self.run(remove, partial.path)

    async def close(self) -> None:
        """Write down what was used; no call is running any more."""
        await self._proofs.close()
        await self.note_use()
        self._handles.close()
        self._shelf.recent.close()
        await asyncio.to_thread(bind(self._executor.shutdown, wait=True))
