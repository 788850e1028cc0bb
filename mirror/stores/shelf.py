"""The files of blobs and partials: makes them, puts them in their place, finds them again. All of it blocks."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mirror.errors import StoreError
from mirror.evict import on_disk
from mirror.model import Entry
from mirror.ports import Note
from mirror.stores.codec import boot_of, dump_note, footer, load_note
from mirror.stores.files import place, read_own, remove, sync_folders, weight, write_all
from mirror.stores.partial import FilePartial
from mirror.stores.recent import Recent

USED_AGAIN = 777
"""The last three digits, in nanoseconds, of the access time of a blob's file that was used again: who else reads it
leaves others there, but for one time in a thousand."""

DRAWN = 64
"""Ids that are drawn at once."""

Durability = Literal["full", "data", "none"]


@dataclass(frozen=True, slots=True)
class Made:
    """A new blob: its entry, the bytes that it takes, and when its file was written (ns)."""

    entry: Entry
    count: int
    written: int


class Shelf:
    """See the module. What is synced before a blob becomes visible is said by `durability`. `weight`: bytes that the
    folders take themselves, weighed now and then: of a million blobs, tens of MB."""

    def __init__(self, path: Path, durability: Durability) -> None:
        self.blobs = path / "blobs.v1"
        self.partials = path / "partial"
        self.recent = Recent(path / "recent")
        self.weight = 0
        self._numbers: list[int] = []
        self._durability = durability
        self._durable: set[Path] | None = set() if durability == "full" else None
        # What was written and not synced outlives a kill, but no power cut.
        self._boot = _boot() if durability == "none" else ""

    def find_partials(self) -> dict[str, str]:
        """Make the folders; the partials that were kept: key -> file name. What is left of others is removed."""
        for folder in (self.blobs, self.partials):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._durable is not None:
            with contextlib.suppress(OSError):  # a disk that is read-only has them already
                sync_folders({self.blobs.parent})
        found: dict[str, str] = {}
        for path in list(self.partials.iterdir()):
            if path.suffix == ".part":
                try:
                    text = read_own(path.with_suffix(".json"))
                    key = load_note(text)[0].key if boot_of(text) in ("", _boot()) else ""
                except (OSError, StoreError):
                    key = ""
                if key and key not in found:
                    found[key] = path.name
                    continue
            if path.suffix != ".json" or not path.with_suffix(".part").exists():
                remove(path)
        self.weight = weight(self.blobs, self.partials)
        return found

    def blob(self, blob: str) -> Path:
        """Where a blob is, or would be."""
        return self.blobs / blob[:2] / blob

    def fresh(self) -> Path:
        """Where a new partial is to be: a random id, never reused."""
        try:
            number = self._numbers.pop()
        except IndexError:  # drawn many at a time: each draw lets another thread go first
            number, *more = array("Q", secrets.token_bytes(8 * DRAWN))
            self._numbers += more
        return self.partials / f"{number:016x}.part"

    def put(self, note: Note, body: bytes) -> Made:
        """Make a blob of a whole body."""
        path = self.fresh()
        known = (note.key, note.url, note.head, note.validators)
        entry = Entry(*known, path.stem, len(body), hashlib.sha256(body).hexdigest(), note.tags)
        whole = body + footer(entry)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            written = self._seal(fd, path, whole, 0)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        return Made(entry, on_disk(len(whole)), written)

    def make(self, partial: FilePartial, size: int) -> Made:
        """Make a blob of a partial that is complete and verified; as `put`."""
        note = partial.note
        blob = partial.path.stem
        known = (note.key, note.url, note.head, note.validators)
        entry = Entry(*known, blob, size, partial.hashes.sha256(), note.tags)
        behind = footer(entry)
        partial.open_now()  # an empty body has no file yet
        os.ftruncate(partial.fd, size)
        written = self._seal(partial.fd, partial.path, behind, size)
        if partial.has_note:
            partial.path.with_suffix(".json").unlink(missing_ok=True)
        return Made(entry, on_disk(size + len(behind)), written)

    def _seal(self, fd: int, path: Path, last: bytes, offset: int) -> int:
        """Write the last bytes of a file, sync it, and make it a blob; when it was written (ns)."""
        write_all(fd, last, offset)
        if self._durability != "none":
            os.fdatasync(fd)
        place(path, self.blob(path.stem), self._durable)
        self.recent.note(path.stem)
        return os.fstat(fd).st_mtime_ns

    def write_note(self, partial: FilePartial, extents: list[tuple[int, int]]) -> None:
        """Write down what is on disk of a partial."""
        if self._durability != "none":
            os.fdatasync(partial.fd)
        note = partial.path.with_suffix(".json")
        draft = note.with_suffix(".draft")
        draft.write_text(dump_note(partial.note, extents, self._boot))
        draft.rename(note)
        partial.has_note = True

    def write_use(self, used: Mapping[str, float]) -> None:
        """Write down when blobs were last used (wall clock), as their files' access times, and that they were used
        since they were stored; weigh the folders."""
        for blob, at in used.items():
            with contextlib.suppress(OSError):
                # The time of the last write stays: it says that nobody has written to the file since.
                written = self.blob(blob).lstat().st_mtime_ns
                os.utime(self.blob(blob), ns=(int(at * 1e6) * 1000 + USED_AGAIN, written), follow_symlinks=False)
        self.weight = weight(self.blobs, self.partials)


def _boot() -> str:
    """Another one each time that the machine has started; "" where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
