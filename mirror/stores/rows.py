"""The index's table, by way of diskcache: text only, and what is read from it and written to it. All of it blocks.

`Execute` runs a statement on whatever connection its caller has, and brings its cursor.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import diskcache

from mirror.errors import StoreError
from mirror.model import Entry
from mirror.ports import Wanted
from mirror.stores.codec import dump_entry, load_entry

BATCH = 500

PORTION = 5_000
"""Keys that are looked at in one go: some ten milliseconds."""

LAST = "\U0010ffff"
"""Behind a prefix: the end of the keys that have it."""

TURN = 0.0005
"""Seconds of writing rows, after which other threads come first."""

REST = 0.0001
"""Seconds for which they do, at least."""

NEVER = 1 << 62

BROKEN = (sqlite3.Error, diskcache.Timeout, OSError, ValueError, TypeError, AttributeError, StoreError)
"""What a broken, locked or planted database raises out of diskcache."""

REFUSED = (sqlite3.OperationalError, diskcache.Timeout, OSError)
"""Of these what a database raises that takes no row now, and may take each of them later: locked, full, no disk."""

WAL_PAGES = 256
"""Pages after which SQLite moves its log into the database, so that the log stays small."""

WAL_SIZE = 2 * WAL_PAGES * 4096
"""Bytes that the log is counted as, at least."""

SETTINGS = {
    "eviction_policy": "none",
    "cull_limit": 0,
    "statistics": 0,
    "size_limit": NEVER,
    "disk_min_file_size": NEVER,
    "sqlite_mmap_size": 0,  # mapped, a read error would be a SIGBUS of the process (sqlite.org/mmap.html)
    "sqlite_wal_autocheckpoint": WAL_PAGES,
    "sqlite_synchronous": 1,  # NORMAL: a crash of the process loses nothing, and no fsync for each put
}

T = TypeVar("T")

Execute = Callable[[str, tuple[Any, ...]], Any]


class TextDisk(diskcache.Disk):  # type: ignore[misc]
    """Keys and values as TEXT. What is anything else is not read: unpickling a planted row would run code
    (CVE-2025-69872)."""

    def put(self, key: str) -> tuple[str, bool]:
        return key, True

    def get(self, key: Any, raw: Any) -> str | None:
        return key if isinstance(key, str) else None

    def store(self, value: str, read: bool, key: Any = None) -> tuple[int, int, None, str]:
        return 0, diskcache.core.MODE_RAW, None, value

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> str | None:
        return value if mode == diskcache.core.MODE_RAW and isinstance(value, str) else None


def readable(text: str) -> Entry | None:
    """The entry, None for what is none."""
    try:
        return load_entry(text)
    except StoreError:
        return None


def under(execute: Execute, address: str) -> list[tuple[str, str]]:
    """Keys and texts of all that is stored under an address."""
    # In the order of bytes "!" comes after " ", which stands between an address and its variant.
    select = "SELECT key, value FROM Cache WHERE raw = 1 AND (key = ? OR key >= ? AND key < ?)"
    rows = execute(select, (address, f"{address} ", f"{address}!")).fetchall()
    return [(key, text) for key, text in rows if isinstance(key, str) and isinstance(text, str)]


def page(execute: Execute, prefix: str, after: str | None) -> tuple[list[str], str | None]:
    """The texts of the next page, and the key that the one behind it begins after (None: there is none)."""
    # diskcache iterates over all keys or none, in pages of its own. A page begins behind the last key of the one
    # before: what is written meanwhile moves nothing. Texts are compared byte by byte, so that the keys with one prefix
    # stand together, case and `%` count as they are.
    where, bound = ("key >= ?", prefix) if after is None else ("key > ?", after)
    select = f"SELECT key, value FROM Cache WHERE {where} AND raw = 1 ORDER BY key LIMIT {BATCH}"  # noqa: S608
    rows = execute(select, (bound,)).fetchall()
    ours = [row for row in rows if isinstance(row[0], str) and row[0].startswith(prefix)]  # all, or the first ones
    more = rows[-1][0] if len(ours) == BATCH else None
    return [text for _, text in ours if isinstance(text, str)], more


def keys(execute: Execute, after: str) -> list[str]:
    """The next 2,000 keys behind that one."""
    select = "SELECT key FROM Cache WHERE key > ? AND raw = 1 ORDER BY key LIMIT 2000"
    return [key for (key,) in execute(select, (after,)).fetchall()]


def sums(execute: Execute, prefix: str, after: str) -> tuple[int, int, str]:
    """Of the next 5,000 keys with that prefix behind `after`: how many there are, the bytes of their bodies, the last
    one."""
    where, bounds = _between(prefix, after)
    some = f"SELECT key, value FROM Cache WHERE {where} ORDER BY key LIMIT {PORTION}"  # noqa: S608
    sizes = "coalesce(sum(CASE WHEN json_valid(value) THEN json_extract(value, '$.size') END), 0)"
    select = f"SELECT count(*), {sizes}, max(key) FROM ({some})"  # noqa: S608
    ((count, size, last),) = execute(select, bounds).fetchall()
    return count, size, last


def _between(prefix: str, after: str) -> tuple[str, tuple[str, str]]:
    """The condition for keys with that prefix behind `after`, and its two parameters."""
    behind = after >= prefix and after != ""
    return f"key {'>' if behind else '>='} ? AND key < ? AND raw = 1", (after if behind else prefix, f"{prefix}{LAST}")


def some(execute: Execute, wanted: Wanted, after: str, limit: int) -> tuple[list[str], str | None]:
    """The texts of the next entries behind the key `after` that look wanted, at most `limit`, and the key that the next
    page begins behind (None: there is none). No more than 5,000 keys are looked at, of which the index alone is read
    where they are not wanted by their key; a tag may be another's value."""
    where, bounds = _between(wanted.prefix, after)
    most = PORTION if wanted.search or wanted.tag else limit + 1
    keys = f"SELECT rowid AS at, key FROM Cache WHERE {where} ORDER BY key LIMIT {most}"  # noqa: S608
    tests, parameters = "1", []
    if wanted.search:
        tests, parameters = "instr(lower(some.key), lower(?))", [wanted.search]
    if wanted.tag:
        tests, parameters = f"{tests} AND instr(value, ?)", [*parameters, json.dumps(wanted.tag)]
    # CROSS JOIN: in this order (sqlite.org/optoverview.html), so that the keys are what is gone through.
    select = (
        f"SELECT some.key, value FROM ({keys}) AS some CROSS JOIN Cache ON Cache.rowid = some.at "  # noqa: S608
        f"WHERE {tests} ORDER BY some.key LIMIT {limit + 1}"
    )
    found = execute(select, (*bounds, *parameters)).fetchall()
    texts = [text for _, text in found[:limit] if isinstance(text, str)]
    if len(found) > limit:
        return texts, found[limit - 1][0]
    last = execute(f"SELECT key FROM Cache WHERE {where} ORDER BY key LIMIT 1 OFFSET {most - 1}", bounds)  # noqa: S608
    return texts, next((key for (key,) in last.fetchall()), None)


def outline(execute: Execute, after: str) -> list[tuple[str, str, int, float]]:
    """Key, blob, size and arrival of the next 2,000 entries behind that key; what is no entry has none of them."""
    names = ("$.blob", "$.size", "$.head.received_at")
    values = ", ".join(f"CASE WHEN json_valid(value) THEN json_extract(value, '{name}') END" for name in names)
    select = f"SELECT key, {values} FROM Cache WHERE key > ? AND raw = 1 ORDER BY key LIMIT 2000"  # noqa: S608
    return [(key, blob or "", size or 0, at or 0.0) for key, blob, size, at in execute(select, (after,)).fetchall()]


def stand(execute: Execute, keys: Sequence[str]) -> dict[str, str]:
    """The texts of these keys' rows, where there are any."""
    found: dict[str, str] = {}
    for at in range(0, len(keys), BATCH):
        part = tuple(keys[at : at + BATCH])
        select = f"SELECT key, value FROM Cache WHERE raw = 1 AND key IN ({', '.join('?' * len(part))})"  # noqa: S608
        found |= {key: text for key, text in execute(select, part).fetchall() if isinstance(text, str)}
    return found


def in_turns(
    items: Iterable[T],
    clock: Callable[[], float] = time.perf_counter,
    rest: Callable[[float], object] = time.sleep,
) -> Iterator[T]:
    """The items; after each half millisecond that is spent on them, the other threads of this process have their turn.

    Each statement lets go of the interpreter, and takes it again before the event loop, which waits for it, has been
    given the processor: a portion of rows, some ten milliseconds, would be one long wait for every hit.
    """
    end = clock() + TURN
    for item in items:
        if clock() >= end:
            rest(REST)
            end = clock() + TURN
        yield item


def write(cache: Any, rows: Mapping[str, Entry | None]) -> None:
    """Put the entries, and delete what is None, in one transaction."""
    with cache.transact() if len(rows) > 1 else contextlib.nullcontext():
        for key, entry in in_turns(rows.items()):
            if entry is None:
                cache.delete(key)
            else:
                cache.set(key, dump_entry(entry))


def adopt(cache: Any, entries: Iterable[Entry]) -> dict[str, str]:
    """Put those whose key has no entry, or an older one, in one transaction; the blob that each key has now."""
    stand: dict[str, str] = {}
    with cache.transact():
        for entry in in_turns(entries):
            known = readable(cache.get(entry.key) or "")
            # The row of what replaced another may not have been written: then the other one's is there still.
            if known is None or known.head.received_at < entry.head.received_at:
                cache.set(entry.key, dump_entry(entry))
                known = entry
            stand[entry.key] = known.blob
    return stand
