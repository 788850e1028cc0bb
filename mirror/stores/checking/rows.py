"""The index's database, read and mended row by row, while no server uses it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import diskcache

from mirror.errors import StoreError
from mirror.model import Entry
from mirror.stores import rows
from mirror.stores.damage import Looking
from mirror.stores.files import move_aside
from mirror.stores.rows import BROKEN, SETTINGS, TextDisk

PAGE = 500

Row = tuple[int, Any, Any, Any]
"""Number, key, whether the key is a text as it is, value."""


class Rows:
    """The database in the folder `path`. StoreError: it cannot be read, or written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cache: Any = None

    def wrong(self, *, quick: bool) -> str:
        """What is wrong with the database as a whole; "" when nothing is. Not `quick`: all of it is read."""
        database = self.path / diskcache.core.DBNAME
        if not database.exists():
            return "there is none"
        if not database.is_file() or database.is_symlink() or not database.stat().st_size:
            return "it is no database"
        try:
            next(self.all(), None)
        except StoreError as exc:
            return str(exc)
        return "" if quick else Looking(database).look()

    def all(self) -> Iterator[list[Row]]:
        """All rows, in pages."""
        address = f"{(self.path / diskcache.core.DBNAME).absolute().as_uri()}?mode=ro"
        select = f"SELECT rowid, key, raw, value FROM Cache WHERE rowid > ? ORDER BY rowid LIMIT {PAGE}"  # noqa: S608
        last = -(1 << 63)
        try:
            with closing(sqlite3.connect(address, uri=True)) as database:
                database.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
                while page := database.execute(select, (last,)).fetchall():
                    last = page[-1][0]
                    yield page
        except sqlite3.Error as exc:
            raise StoreError(str(exc)) from exc

    def again(self) -> None:
        """Another, empty database takes the place of this one, which is moved aside."""
        self.close()
        if self.path.exists() or self.path.is_symlink():
            move_aside(self.path)
        self._opened()

    def adopt(self, entries: list[Entry]) -> list[bool]:
        """Put those whose key has no entry, or an older one; which of them are the ones of their keys now."""
        try:
            stand = rows.adopt(self._opened(), entries)
        except BROKEN as exc:
            raise StoreError(f"the index cannot be written: {exc}") from exc
        return [stand[entry.key] == entry.blob for entry in entries]

    def delete(self, row: Row) -> None:
        try:
            cache = self._opened()
            if row[2] == 1 and isinstance(row[1], str) and row[1].isprintable():
                rows.write(cache, {row[1]: None})
            cache._sql("DELETE FROM Cache WHERE rowid = ?", (row[0],))
        except BROKEN as exc:
            raise StoreError(f"the index cannot be written: {exc}") from exc

    def _opened(self) -> Any:
        if self._cache is None:
            try:
                self.path.mkdir(mode=0o700, exist_ok=True)
                self._cache = diskcache.Cache(str(self.path), timeout=1.0, disk=TextDisk, **SETTINGS)
            except BROKEN as exc:
                raise StoreError(f"the index cannot be written: {exc}") from exc
        return self._cache

    def close(self) -> None:
        if self._cache is not None:
            self._cache.close()
            self._cache = None
