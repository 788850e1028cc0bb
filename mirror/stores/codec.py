"""Entries and notes as JSON text, and the footer that makes a blob describe itself. Pure.

A blob file is `body | JSON of the entry | 8 bytes magic | length of the JSON | its CRC-32`, both numbers of 4 bytes,
big-endian: one file, one rename, no moment in which a body and what is known of it can disagree.
"""

from __future__ import annotations

import json
import re
import sys
import zlib
from typing import Any

from mirror.errors import StoreError
from mirror.model import Digest, Entry, Head, Headers
from mirror.ports import Note

MAGIC = b"mirror.1"
TRAILER = 16

_BLOB = re.compile(r'"blob":"([^"\\]*)"')

_WRONG = (ValueError, TypeError, KeyError, OverflowError, RecursionError)
"""What reading a text of another shape raises; `int(inf)` overflows."""


def _head(head: Head) -> dict[str, Any]:
    return {
        "status": head.status,
        "headers": [list(pair) for pair in head.headers],
        "requested_at": head.requested_at,
        "received_at": head.received_at,
        **({"reason": head.reason} if head.reason else {}),
    }


def _read_headers(value: Any) -> Headers:
    # The same few names in every entry: one string of each, for all that are in memory.
    return Headers(tuple((sys.intern(str(name)), str(text)) for name, text in value))


def _read_head(value: Any) -> Head:
    return Head(
        int(value["status"]),
        _read_headers(value["headers"]),
        float(value["requested_at"]),
        float(value["received_at"]),
        str(value.get("reason", "")),
    )


def dump_entry(entry: Entry) -> str:
    """The entry as JSON text."""
    return json.dumps(
        {
            "key": entry.key,
            "url": entry.url,
            "head": _head(entry.head),
            "validators": [list(pair) for pair in entry.validators],
            "blob": entry.blob,
            "size": entry.size,
            "digest": entry.digest,
            "tags": list(entry.tags),
        },
        separators=(",", ":"),
    )


def load_entry(text: str | bytes) -> Entry:
    """The entry of `dump_entry`; StoreError when the text is something else."""
    try:
        value = json.loads(text)
        return Entry(
            str(value["key"]),
            str(value["url"]),
            _read_head(value["head"]),
            _read_headers(value["validators"]),
            str(value["blob"]),
            int(value["size"]),
            str(value["digest"]),
            tuple(str(tag) for tag in value["tags"]),
        )
    except _WRONG as exc:
        raise StoreError(f"not an entry: {exc}") from exc


def blob_of(text: str) -> str:
    """The blob in a text that `dump_entry` wrote, without reading the rest; "" when it is something else."""
    # Within a string of JSON, the quotes would be escaped.
    found = _BLOB.search(text)
    return found[1] if found else ""


def dump_note(note: Note, extents: list[tuple[int, int]], boot: str = "") -> str:
    """The note of a partial and the extents that are on disk, as JSON text. `boot`: until the machine starts again, and
    this is another one, it is to be trusted; "": also then."""
    digest = [note.digest.algorithm, note.digest.value] if note.digest else None
    return json.dumps(
        {
            "key": note.key,
            "url": note.url,
            "head": _head(note.head),
            "validators": [list(pair) for pair in note.validators],
            "total": note.total,
            "strong": note.strong,
            "digest": digest,
            "tags": list(note.tags),
            "variant": note.variant,
            "extents": extents,
            "boot": boot,
        }
    )


def boot_of(text: str | bytes) -> str:
    """The `boot` in what `dump_note` wrote; StoreError when it is something else."""
    try:
        return str(json.loads(text).get("boot", ""))
    except (*_WRONG, AttributeError) as exc:
        raise StoreError(f"not a note: {exc}") from exc


def load_note(text: str | bytes) -> tuple[Note, list[tuple[int, int]]]:
    """What `dump_note` wrote; StoreError when the text is something else."""
    try:
        value = json.loads(text)
        note = Note(
            str(value["key"]),
            str(value["url"]),
            _read_head(value["head"]),
            _read_headers(value["validators"]),
            None if value["total"] is None else int(value["total"]),
            str(value["strong"]),
            Digest(*map(str, value["digest"])) if value["digest"] else None,
            tuple(str(tag) for tag in value["tags"]),
            str(value.get("variant", "")),
        )
        extents = [(int(start), int(end)) for start, end in value["extents"]]
        if not all(0 <= start <= end for start, end in extents):
            raise ValueError("an extent ends before it begins")
        return note, extents
    except _WRONG as exc:
        raise StoreError(f"not a note: {exc}") from exc


def footer(entry: Entry) -> bytes:
    """What stands behind the body in a blob file."""
    text = dump_entry(entry).encode()
    return text + MAGIC + len(text).to_bytes(4, "big") + zlib.crc32(text).to_bytes(4, "big")


def footer_size(trailer: bytes) -> int | None:
    """The length of footer and trailer together, read from a file's last 16 bytes; None when that is no blob."""
    if len(trailer) != TRAILER or trailer[:8] != MAGIC:
        return None
    return int.from_bytes(trailer[8:12], "big") + TRAILER


def load_footer(behind: bytes) -> Entry:
    """The entry in the `footer_size` bytes at the end of a blob file; StoreError when a bit of them is wrong."""
    text, crc = behind[:-TRAILER], behind[-4:]
    if zlib.crc32(text).to_bytes(4, "big") != crc:
        raise StoreError("the footer is not as it was written")
    return load_entry(text)
