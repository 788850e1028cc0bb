"""Entries: has each one its blob, and each blob its entry."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial as bind
from itertools import islice
from pathlib import Path

from mirror.changes import of_key
from mirror.errors import StoreError
from mirror.model import Entry
from mirror.stores.blob import entry_of
from mirror.stores.checking.findings import Ledger
from mirror.stores.checking.places import listed
from mirror.stores.checking.rows import Row, Rows
from mirror.stores.codec import blob_of
from mirror.stores.ids import Ids
from mirror.stores.rows import readable

PORTION = 500


class Entries:
    """Looks at all entries, and at what no entry points at. `bad`: ids of blobs that are not to be served."""

    def __init__(self, ledger: Ledger, pool: ThreadPoolExecutor, bad: Ids, *, quick: bool) -> None:
        self._ledger = ledger
        self._pool = pool
        self._bad = bad
        self._quick = quick
        self._folder = ledger.root / "index.v1"
        self._rows = Rows(self._folder)
        self._blobs = ledger.root / "blobs.v1"

    def check(self) -> None:
        try:
            wrong = self._rows.wrong(quick=self._quick) or self._checked()
            if wrong and (wrong != "there is none" or self._ledger.counts.blobs):
                self._ledger.find(self._folder, f"the index: {wrong}", self._built_again)
        finally:
            self._rows.close()

    def _checked(self) -> str:
        """What keeps the database from being read to its end; "" when nothing does."""
        try:
            self._check_rows()
            self._check_orphans()
        except StoreError as exc:
            return str(exc)
        return ""

    def _built_again(self) -> str:
        self._rows.again()
        blobs = self._names()
        while some := list(islice(blobs, PORTION)):
            found = self._pool.map(entry_of, (self._path(blob) for blob in some))
            self._rows.adopt([entry for entry in found if entry is not None])
        self._check_orphans()  # those that another has taken the place of
        return "built again from the blobs"

    def _check_rows(self) -> None:
        total = self._ledger.counts.blobs or 1
        for page in self._rows.all():
            for row, wrong in zip(page, list(self._pool.map(self._wrong, page)), strict=True):
                self._ledger.counts.entries += 1
                if wrong:
                    self._ledger.find(self._folder, f"{_shown(row[1])}: {wrong}", bind(self._deleted, row))
            self._ledger.progress("entries", min(1.0, self._ledger.counts.entries / total))

    def _wrong(self, row: Row) -> str:
        _, key, raw, value = row
        entry = readable(value) if isinstance(value, str) else None
        if raw != 1 or entry is None or entry.key != key or not entry.blob.isalnum():
            return "no entry of a key"
        if entry.blob in self._bad:
            return f"its blob {entry.blob} is not to be served"
        stored = entry_of(self._path(entry.blob))
        if stored is None:
            return f"its blob {entry.blob} is missing"
        if (stored.size, stored.digest, of_key(stored.key)) != (entry.size, entry.digest, of_key(entry.key)):
            return f"its blob {entry.blob} says something else"
        return ""

    def _deleted(self, row: Row) -> str:
        self._rows.delete(row)
        return "entry deleted"

    def _check_orphans(self) -> None:
        """What was adopted may have taken the place of another, whose blob is then one that nothing points at."""
        while self._look_for_orphans():
            pass

    def _look_for_orphans(self) -> bool:
        """True when there may be others now."""
        referenced, again = self._referenced(), False
        for blob in self._names():
            if blob in referenced or (entry := entry_of(self._path(blob))) is None:
                continue
            path, taken_in = self._path(blob), list[bool]()
            self._ledger.find(
                path, f"no entry points at it ({entry.key})", bind(self._taken_in, entry, taken_in),
                left=not self._ledger.clean,
            )  # fmt: skip
            again = again or any(taken_in)
        return again

    def _taken_in(self, entry: Entry, told: list[bool]) -> str:
        told += self._rows.adopt([entry])
        return "entry made" if told[-1] else f"{self._ledger.deleted(self._path(entry.blob))()}: there is a newer one"

    def _referenced(self) -> Ids:
        referenced = Ids()
        for page in self._rows.all():
            for _, _, _, value in page:
                referenced.add(blob_of(value) if isinstance(value, str) else "")
        for first in range(256):
            referenced.sort(first)
        return referenced

    def _names(self) -> Iterator[str]:
        """The blobs that are good."""
        for folder in listed(self._blobs):
            if len(folder.name) == 2 and folder.is_dir() and not folder.is_symlink():
                names = (path.name for path in listed(folder))
                yield from (name for name in names if len(name) == 16 and name not in self._bad)

    def _path(self, blob: str) -> Path:
        return self._blobs / blob[:2] / blob


def _shown(key: object) -> str:
    return key if isinstance(key, str) and key.isprintable() else repr(key)
