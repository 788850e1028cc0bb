"""A cache that holds as many entries as wanted, each of them as the mirror would have stored it."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from mirror.model import Entry
from mirror.stores.blob import open_blob
from mirror.stores.codec import dump_entry, footer

BODY = 1024
"""Bytes of each body."""

GROUP = 100
"""Entries below one prefix."""

TAKES, INODES = 5600, 1.1
"""Bytes and inodes that one entry takes on disk, index included, at most."""

ROW = (
    "INSERT INTO Cache (key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value)"
    " VALUES (?, 1, ?, NULL, ?, 0, NULL, 0, 1, NULL, ?)"
)
"""As diskcache writes it for `stores/sqlite.py`."""


@dataclass(frozen=True)
class Made:
    """Entries 0 to `count` in the cache folder `cache`, like `template`: one that a mirror has stored itself."""

    cache: Path
    template: Entry
    count: int

    def path(self, number: int) -> str:
        """What a client asks for, less the mirror's name."""
        return f"/made/{number // GROUP:06}/{number:08}.bin"

    def entry(self, number: int) -> tuple[bytes, Entry]:
        body = f"{number:08}\n".encode() * (BODY // 9 + 1)
        blob = hashlib.sha256(b"blob %d" % number).hexdigest()[:16]  # ids are random: so are these, and known again
        path = self.path(number)
        url = self.template.url.partition("/obj/")[0] + path  # the upstream's: what came from another is not used
        known = replace(self.template, key=f"/o{path}", url=url, blob=blob)
        return body[:BODY], replace(known, size=BODY, digest=hashlib.sha256(body[:BODY]).hexdigest(), tags=())

    def make(self) -> None:
        """Write blobs and rows. The mirror has run and stopped here before: the database is its own."""
        for first in range(256):
            (self.cache / "blobs.v1" / f"{first:02x}").mkdir(mode=0o700, exist_ok=True)
        step = max(1, self.count // 50)
        with ProcessPoolExecutor(2) as others:
            blobs = others.map(self.blobs, range(0, self.count, step), [step] * len(range(0, self.count, step)))
            self._rows()
            list(blobs)

    def blobs(self, begin: int, step: int) -> None:
        now = time.time()
        for number in range(begin, min(begin + step, self.count)):
            body, entry = self.entry(number)
            path = self.cache / "blobs.v1" / entry.blob[:2] / entry.blob
            path.write_bytes(body + footer(entry))
            used = now - random.Random(number).random() * 30 * 86400
            os.utime(path, (used, used))

    def _rows(self) -> None:
        with closing(sqlite3.connect(self.cache / "index.v1" / "cache.db")) as database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            with database:
                database.executemany(ROW, self._told())
            database.execute("PRAGMA journal_mode = WAL")

    def _told(self) -> Iterator[tuple[str, float, float, str]]:
        now = time.time()
        order = list(range(self.count))
        random.Random(0).shuffle(order)  # entries come in any order
        for number in order:
            _, entry = self.entry(number)
            yield entry.key, now, now, dump_entry(entry)


def stored(cache: Path) -> Entry:
    """The one entry that a mirror has stored in this cache."""
    (blob,) = (path for path in (cache / "blobs.v1").rglob("*") if path.is_file())
    opened = open_blob(blob)
    assert opened is not None
    os.close(opened[0])
    return opened[1]


def check(folder: Path, count: int) -> None:
    """SystemExit where so many entries do not fit, with half of the disk to spare."""
    status = os.statvfs(folder)
    if count * TAKES > status.f_bavail * status.f_frsize // 2:
        raise SystemExit(f"{folder}: {count} entries take {count * TAKES >> 20} MiB, more than half of what is free")
    if status.f_files and count * INODES > status.f_favail // 2:
        raise SystemExit(f"{folder}: {count} entries take more than half of the free inodes")
