"""Blobs: is each one whole, the bytes that were stored, and safe from others."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial as bind
from itertools import islice
from pathlib import Path

from mirror.errors import StoreError
from mirror.evict import on_disk
from mirror.model import Entry
from mirror.stores.blob import MAX_FOOTER
from mirror.stores.checking.findings import Ledger
from mirror.stores.checking.places import foreign, kind, listed, private, restricted
from mirror.stores.codec import TRAILER, footer_size, load_footer
from mirror.stores.ids import Ids

PORTION = 1000
"""Blobs that the threads are given at once."""

CHUNK = 1 << 20

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOATIME", 0)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at one file gave. `size`: bytes of the body. `wrong`: "" when it is a whole blob. `ours`: it is one
    of the mirror's own files, whatever became of it."""

    path: Path
    taken: int = 0
    size: int = 0
    wrong: str = ""
    ours: bool = True


class Blobs:
    """Looks at all blobs. `bad` has the ids of those that are not to be served, `taken` the bytes on disk of all that
    stay, when `check` has returned."""

    def __init__(self, ledger: Ledger, pool: ThreadPoolExecutor, *, quick: bool) -> None:
        self.bad = Ids()
        self.taken = 0
        self._ledger = ledger
        self._pool = pool
        self._quick = quick

    def check(self) -> None:
        folders = list(listed(self._ledger.root / "blobs.v1"))
        for number, folder in enumerate(folders):
            self._ledger.progress("blobs", number / len(folders))
            if not re.fullmatch("[0-9a-f]{2}", folder.name) or folder.is_symlink() or not folder.is_dir():
                foreign(self._ledger, folder)
                continue
            private(self._ledger, folder)
            self._check_folder(folder, number / len(folders))
        for first in range(256):
            self.bad.sort(first)

    def _check_folder(self, folder: Path, done: float) -> None:
        paths = listed(folder)
        while some := list(islice(paths, PORTION)):
            for looked in self._pool.map(bind(self._look, folder.name), some):
                self._take_down(looked)
                self._ledger.progress("blobs", done)

    def _look(self, folder: str, path: Path) -> Looked:
        if not re.fullmatch(f"{folder}[0-9a-f]{{14}}", path.name):
            return Looked(path, wrong="does not belong here", ours=False)
        try:
            return look(path, self._ledger.owner, quick=self._quick)
        except OSError as exc:
            return Looked(path, wrong=f"cannot be read: {exc.strerror or exc}")

    def _take_down(self, looked: Looked) -> None:
        ledger, path = self._ledger, looked.path
        if not looked.ours and looked.wrong == "does not belong here":
            return foreign(ledger, path)
        ledger.counts.blobs += 1
        ledger.counts.size += looked.size
        if looked.wrong:
            self.bad.add(path.name)
            ledger.find(path, looked.wrong, ledger.deleted(path) if looked.ours else ledger.set_aside(path))
        else:
            restricted(ledger, path)
        self.taken += 0 if looked.wrong else looked.taken
        return None


def look(path: Path, owner: int, *, quick: bool) -> Looked:
    """Look at the file that has a blob's name; not `quick`: at each byte. OSError when it cannot be read. Blocks."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return Looked(path, wrong=f"no file but {kind(status.st_mode)}", ours=not stat.S_ISDIR(status.st_mode))
    if status.st_uid != owner:
        return Looked(path, wrong=f"belongs to user {status.st_uid}", ours=False)
    fd = os.open(path, _FLAGS)
    try:
        entry = whole(fd, path.name)
        digest = entry.digest if quick else _sha256(fd, entry.size)
    except StoreError as exc:
        return Looked(path, wrong=str(exc))
    finally:
        os.close(fd)
    wrong = "" if digest == entry.digest else f"its body has the sha256 {digest}, not {entry.digest}"
    return Looked(path, on_disk(status.st_size), entry.size, wrong)


def whole(fd: int, blob: str) -> Entry:
    """The entry of an open blob file; StoreError says what is wrong with it. Blocks."""
    size = os.fstat(fd).st_size
    behind = footer_size(os.pread(fd, TRAILER, max(0, size - TRAILER)))
    if size < TRAILER or behind is None:
        raise StoreError("it is empty" if not size else "it does not end as blobs do: cut off, or written over")
    if not TRAILER < behind <= min(MAX_FOOTER, size):
        raise StoreError("its footer is damaged")
    entry = load_footer(os.pread(fd, behind, size - behind))
    if entry.blob != blob:
        raise StoreError(f"it is the blob {entry.blob}")
    if entry.size != size - behind:
        raise StoreError(f"its body has {size - behind} bytes, not {entry.size}")
    return entry


def _sha256(fd: int, size: int) -> str:
    running, at = hashlib.sha256(), 0
    while at < size and (chunk := os.pread(fd, min(CHUNK, size - at), at)):
        running.update(chunk)
        at += len(chunk)
    return running.hexdigest()
