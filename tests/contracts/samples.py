"""Notes, entries and bodies for the contract tests."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from mirror.model import Digest, Entry, Head, Headers
from mirror.ports import BlobStore, Index, Note, Source
from mirror.stores.sqlite import DiskcacheIndex

BODY = bytes(range(256)) * 40


def sha256(body: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(body).hexdigest())


def note(key: str = "/m/a", **changes: Any) -> Note:
    """A note of a 200 whose length is not announced, unless `changes` say otherwise."""
    headers = Headers((("content-type", "text/plain"), ("x-odd", 'caf\xe9 "quoted" \\ \t'), ("x-odd", "twice")))
    plain = Note(key, "http://upstream.test/a", Head(200, headers, 1.5, 2.25), Headers((("etag", '"v1"'),)), None)
    return replace(plain, **{"strong": '"v1"', "tags": ("m", "m/a"), **changes})


def entry(key: str = "/m/a", **changes: Any) -> Entry:
    """An entry as a store would make it of `note(key)`."""
    known = note(key)
    plain = Entry(key, known.url, known.head, known.validators, "00ff", 3, sha256(b"abc").value, known.tags)
    return replace(plain, **changes)


async def stored(store: BlobStore, body: bytes = BODY, key: str = "/m/a", **changes: Any) -> Entry:
    """`body`, committed under a digest that is right."""
    partial = store.create(note(key, **changes))
    writer = partial.writer(0)
    writer.add(body)
    await writer.close()
    entry = await partial.commit(len(body), sha256(body))
    await partial.close()
    return entry


async def read(source: Source, start: int = 0, end: int | None = None) -> bytes:
    """The bytes that a source gives, its spans read in chunks."""
    parts: list[bytes] = []
    async for piece in source.read(start, end):
        parts += [bytes(piece)] if isinstance(piece, bytes | memoryview) else [c async for c in piece.chunks()]
    return b"".join(parts)


async def keys(index: Index, prefix: str = "") -> list[str]:
    """All keys that a scan gives."""
    return [entry.key async for batch in index.scan(prefix) for entry in batch]


async def reopened(index: DiskcacheIndex, **options: Any) -> DiskcacheIndex:
    """Another index on the same database, which this one leaves."""
    await index.close()
    again = DiskcacheIndex(index._path, **options)
    await again.start()
    return again
