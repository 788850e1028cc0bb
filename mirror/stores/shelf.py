"""The files of blobs and partials: makes them, puts them in their place, finds them again. All of it blocks."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from mirror.errors import StoreError
from mirror.evict import on_disk
from mirror.model import Entry
from mirror.ports import Note
from mirror.stores.codec import dump_note, footer, load_note
from mirror.stores.files import place, remove, weight, write_all
from mirror.stores.partial import FilePartial
from mirror.stores.recent import Recent

USED_AGAIN = 0.0
"""The modification time of a blob's file that was used again: blobs are never modified, and access times of all files
are set by whoever reads them."""

Durability = Literal["full", "data", "none"]


class Shelf:
    """See the module. What is synced before a blob becomes visible is said by `durability`. `weight`: bytes that the
    folders take themselves, weighed now and then: of a million blobs, tens of MB."""

    def __init__(self, path: Path, durability: Durability) -> None:
        self.blobs = path / "blobs.v1"
        self.partials = path / "partial"
        self.recent = Recent(path / "recent")
        self.weight = 0
        self._durability = durability

    def find_partials(self) -> dict[str, str]:
        """Make the folders; the partials that were kept: key -> file name. What is left of others is removed."""
        for folder in (self.blobs, self.partials):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found: dict[str, str] = {}
        for path in list(self.partials.iterdir()):
            if path.suffix == ".part":
                try:
                    key = load_note(path.with_suffix(".json").read_bytes())[0].key
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
        return self.partials / f"{secrets.token_hex(8)}.part"

    def put(self, note: Note, body: bytes) -> tuple[Entry, int]:
        """Make a blob of a whole body; its entry, and the bytes that it takes."""
        path = self.fresh()
        known = (note.key, note.url, note.head, note.validators)
        entry = Entry(*known, path.stem, len(body), hashlib.sha256(body).hexdigest(), note.tags)
        whole = body + footer(entry)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self._seal(fd, path, whole, 0)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        return entry, on_disk(len(whole))

    def make(self, partial: FilePartial, size: int) -> tuple[Entry, int]:
        """Make a blob of a partial that is complete and verified; as `put`."""
        note = partial.note
        blob = partial.path.stem
        known = (note.key, note.url, note.head, note.validators)
        entry = Entry(*known, blob, size, partial.hashes.sha256(), note.tags)
        behind = footer(entry)
        partial.open_now()  # an empty body has no file yet
        os.ftruncate(partial.fd, size)
        self._seal(partial.fd, partial.path, behind, size)
        if partial.has_note:
            partial.path.with_suffix(".json").unlink(missing_ok=True)
        return entry, on_disk(size + len(behind))

    def _seal(self, fd: int, path: Path, last: bytes, offset: int) -> None:
        """Write the last bytes of a file, sync it, and make it a blob."""
        write_all(fd, last, offset)
        if self._durability != "none":
            os.fdatasync(fd)
        place(path, self.blob(path.stem), sync=self._durability == "full")
        self.recent.note(path.stem)

    def write_note(self, partial: FilePartial, extents: list[tuple[int, int]]) -> None:
        """Write down what is on disk of a partial."""
        if self._durability != "none":
            os.fdatasync(partial.fd)
        note = partial.path.with_suffix(".json")
        draft = note.with_suffix(".draft")
        draft.write_text(dump_note(partial.note, extents))
        draft.rename(note)
        partial.has_note = True

    def write_use(self, used: Mapping[str, float]) -> None:
        """Write down when blobs were last used (wall clock), as their files' access times, and that they were used
        since they were stored; weigh the folders."""
        for blob, at in used.items():
            with contextlib.suppress(OSError):
                os.utime(self.blob(blob), (at, USED_AGAIN))
        self.weight = weight(self.blobs, self.partials)
