"""All stores in memory: for tests of what stands above them. They pass the same contract tests as the real ones."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from mirror.changes import Changes, lost, of_key, put
from mirror.errors import Mismatch, NoRoom, StoreError
from mirror.extents import Extents
from mirror.model import Digest, Entry, Fact
from mirror.ports import Hash, Note, Outline, Piece, Wanted

CHUNK = 256 * 1024
BATCH = 500


@dataclass(frozen=True, slots=True)
class MemorySpan:
    """Bytes of a buffer; no descriptor that a kernel could send from."""

    body: bytearray
    offset: int
    count: int
    fd: int = -1

    def in_memory(self, offset: int, count: int) -> bool:
        return True

    async def chunks(self, offset: int | None = None, count: int | None = None) -> AsyncIterator[bytes]:
        start = self.offset if offset is None else offset
        end = self.offset + self.count if count is None else start + count
        for at in range(start, end, CHUNK):
            yield bytes(self.body[at : min(at + CHUNK, end)])


class MemoryWriter:
    """Keeps what it is given until somebody waits for it, as a disk does."""

    def __init__(self, partial: MemoryPartial, offset: int) -> None:
        self._partial = partial
        self._pending: list[bytes] = []
        self.written = offset

    def add(self, chunk: bytes) -> None:
        self._pending.append(chunk)

    async def drain(self, mark: int) -> None:
        while self._pending and self.written < mark:
            self._partial.write(self.written, self._pending[0])
            self.written += len(self._pending.pop(0))

    async def close(self) -> None:
        await self.drain(self.written + sum(map(len, self._pending)))


class MemoryPartial:
    """A buffer with holes."""

    def __init__(self, store: MemoryStore, note: Note) -> None:
        self.note = note
        self.extents = Extents()
        self.body = bytearray()
        self.over = False
        self._store = store

    def writer(self, offset: int) -> MemoryWriter:
        return MemoryWriter(self, offset)

    def write(self, start: int, chunk: bytes) -> None:
        """Put `chunk` at `start`; StoreError where a disk would refuse."""
        if self.over:
            raise StoreError("the partial was given up")
        self._store.admit(max(self.note.total or 0, start + len(chunk)))
        self._store.take(len(chunk))
        self.body.extend(bytes(max(0, start + len(chunk) - len(self.body))))
        self.body[start : start + len(chunk)] = chunk
        self.extents.add(start, start + len(chunk))

    def span(self, start: int, end: int) -> MemorySpan:
        return MemorySpan(self.body, start, end - start)

    def hashed(self) -> tuple[int, Hash]:
        at = self.extents.end_of_run(0)
        algorithm = self.note.digest.algorithm if self.note.digest else "sha256"
        return at, hashlib.new(algorithm, self.body[:at], usedforsecurity=False)

    async def commit(self, size: int, digest: Digest | None) -> Entry:
        note = self.note
        right = self.extents == Extents([(0, size)])
        if digest and hashlib.new(digest.algorithm, self.body, usedforsecurity=False).hexdigest() != digest.value:
            right = False
        if not right:
            await self.discard()
            raise Mismatch(f"{note.key}: the body is not what was announced")
        self._store.admit(size)
        self._store.take(0)
        sha256 = hashlib.sha256(self.body).hexdigest()
        blob = secrets.token_hex(8)
        entry = Entry(note.key, note.url, note.head, note.validators, blob, size, sha256, note.tags)
        self._store.blobs[blob] = (entry, self.body)
        self.over = True
        return entry

    async def keep(self) -> None:
        if self.extents.size and not self.over:
            self._store.kept[self.note.key] = self

    async def discard(self) -> None:
        self.over = True
        self.extents = Extents()
        if self._store.kept.get(self.note.key) is self:
            del self._store.kept[self.note.key]

    async def close(self) -> None:
        pass  # a reader that holds a span holds its buffer


@dataclass(frozen=True, slots=True)
class MemoryBlob:
    """A body in memory; who has it open keeps it."""

    entry: Entry
    body: bytearray

    @property
    def size(self) -> int:
        return self.entry.size

    async def read(self, start: int, end: int | None) -> AsyncGenerator[Piece, None]:
        end = self.size if end is None else min(end, self.size)
        if start < end:
            yield MemorySpan(self.body, start, end - start)

    def span(self, start: int, end: int) -> MemorySpan:
        return MemorySpan(self.body, start, end - start)

    def leave(self) -> None:
        pass

    async def close(self) -> None:
        pass


@dataclass(slots=True)
class MemoryStore:
    """Blobs and partials. `full`: every write raises StoreError. `fail_after`: so do those behind that many bytes.
    `max_object`: larger ones raise NoRoom."""

    full: bool = False
    fail_after: int | None = None
    max_object: int = 1 << 62
    blobs: dict[str, tuple[Entry, bytearray]] = field(default_factory=dict)
    kept: dict[str, MemoryPartial] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)

    def admit(self, size: int) -> None:
        """NoRoom when a body of `size` bytes is too large."""
        if size > self.max_object:
            raise NoRoom(f"{size} bytes are more than max_object ({self.max_object})")

    def take(self, count: int) -> None:
        """`count` bytes are to be written now; StoreError when the disk is full."""
        if self.full or (self.fail_after is not None and count > self.fail_after):
            raise StoreError("cannot write to the cache: No space left on device")
        if self.fail_after is not None:
            self.fail_after -= count

    def create(self, note: Note) -> MemoryPartial:
        return MemoryPartial(self, note)

    async def put(self, note: Note, body: bytes) -> Entry:
        partial = self.create(note)
        partial.write(0, body)
        return await partial.commit(len(body), None)

    async def resume(self, key: str) -> MemoryPartial | None:
        return self.kept.pop(key, None)

    def at_hand(self, blob: str) -> MemoryBlob | None:
        found = self.blobs.get(blob)
        return MemoryBlob(*found) if found else None

    async def open(self, blob: str) -> MemoryBlob | None:
        found = self.blobs.get(blob)
        return MemoryBlob(*found) if found else None

    async def entries(self, blobs: list[str]) -> list[Entry | None]:
        return [self.blobs[blob][0] if blob in self.blobs else None for blob in blobs]

    def touch(self, blob: str, now: float) -> None:
        pass  # nothing is evicted

    async def forget(self, matches: Callable[[str], bool], *, dry_run: bool = False) -> int:
        found = [key for key in self.kept if matches(key)]
        gone = [self.kept[key] if dry_run else self.kept.pop(key) for key in found]
        return sum(partial.extents.size for partial in gone)

    async def weigh(self, blobs: Sequence[str]) -> int:
        return sum(max(1, self.blobs[blob][0].size) for blob in blobs if blob in self.blobs)

    async def delete(self, blob: str) -> int:
        entry, _ = self.blobs.pop(blob, (None, b""))
        self.changes.changed(blob)
        return max(1, entry.size) if entry else 0


class MemoryIndex:
    """Entries in a dict."""

    def __init__(self, changes: Changes | None = None) -> None:
        self.changes = changes or Changes()
        self._entries: dict[str, Entry] = {}

    async def get(self, key: str) -> Entry | None:
        return self._entries.get(key)

    async def under(self, address: str) -> list[Entry]:
        return [self._entries[key] for key in sorted(self._entries) if of_key(key) == address]

    async def sums(self, prefix: str) -> tuple[int, int]:
        sizes = [entry.size for key, entry in self._entries.items() if key.startswith(prefix)]
        return len(sizes), sum(sizes)

    async def put(self, entry: Entry) -> None:
        self._entries[entry.key] = entry
        self.changes.changed(of_key(entry.key))

    async def delete(self, key: str) -> None:
        self._entries.pop(key, None)
        self.changes.changed(of_key(key))

    async def scan(self, prefix: str = "") -> AsyncIterator[list[Entry]]:
        keys = sorted(key for key in self._entries if key.startswith(prefix))
        for at in range(0, len(keys), BATCH):
            batch = [self._entries.get(key) for key in keys[at : at + BATCH]]
            yield [entry for entry in batch if entry]

    async def page(self, wanted: Wanted, after: str, limit: int) -> tuple[list[Entry], str | None]:
        keys = sorted(key for key in self._entries if key.startswith(wanted.prefix) and key > after)
        found = [self._entries[key] for key in keys if wanted.search.lower() in key.lower()]
        found = [entry for entry in found if not wanted.tag or wanted.tag in entry.tags]
        return found[:limit], found[limit - 1].key if len(found) > limit else None

    async def outline(self, after: str) -> list[Outline]:
        behind = [self._entries[key] for key in sorted(self._entries) if key > after][:BATCH]
        return [Outline(entry.key, entry.blob, entry.size, entry.head.received_at) for entry in behind]

    async def swap(self, changes: Sequence[tuple[Entry, Entry | None]]) -> list[Entry | None]:
        went: list[Entry | None] = []
        for old, new in changes:
            now = self._entries.get(old.key)
            went.append(now if now is not None and now.blob == old.blob else None)
            if went[-1] is not None:
                await (self.put(new) if new is not None else self.delete(old.key))
        return went


class MemoryFacts:
    """Facts in a dict of dicts, by mirror and slot."""

    def __init__(self, changes: Changes | None = None) -> None:
        self.changes = changes or Changes()
        self._slots: dict[str, dict[str, tuple[str, dict[str, Fact]]]] = {}

    async def put(self, mirror: str, slot: str, source: str, facts: Iterable[Fact], now: float) -> None:
        seen = await self.seen(mirror, slot)
        found = {fact.name: replace(fact, first_seen=min(seen.get(fact.name, now), now)) for fact in facts}
        slots = self._slots.setdefault(mirror, {})
        slots.pop(slot, None)  # the newest is found first
        slots[slot] = (source, found)
        self.changes.changed(*put(mirror, slot))

    async def source(self, mirror: str, slot: str) -> str | None:
        return self._slots.get(mirror, {}).get(slot, (None, {}))[0]

    async def seen(self, mirror: str, slot: str) -> dict[str, float]:
        found = self._slots.get(mirror, {}).get(slot, ("", {}))[1]
        return {name: fact.first_seen for name, fact in found.items() if fact.first_seen is not None}

    async def find(self, mirror: str, slots: Sequence[str], name: str) -> Fact | None:
        known = self._slots.get(mirror, {})
        for slot in slots or [*reversed(known)]:
            if slot in known and name in known[slot][1]:
                return known[slot][1][name]
        return None

    async def listed(self, mirror: str, slot: str) -> list[Fact]:
        return [*self._slots.get(mirror, {}).get(slot, ("", {}))[1].values()]

    async def page(self, mirror: str, after: str) -> tuple[str, str, list[Fact]] | None:
        slots = sorted(slot for slot in self._slots.get(mirror, {}) if slot > after)
        return (slots[0], slots[0], await self.listed(mirror, slots[0])) if slots else None

    async def drop(self, mirror: str) -> None:
        """Remove all facts of one mirror."""
        self._slots.pop(mirror, None)
        self.changes.changed(*lost(mirror))
