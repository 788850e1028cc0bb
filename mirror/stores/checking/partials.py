"""Downloads that were not finished: their files and what is noted of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mirror.errors import StoreError
from mirror.ports import Note
from mirror.stores.checking.findings import Ledger
from mirror.stores.checking.places import foreign, listed, plain, restricted
from mirror.stores.codec import load_note
from mirror.stores.files import taken


def check_partials(ledger: Ledger) -> int:
    """Bytes on disk of those that stay."""
    keys: set[str] = set()
    total = 0
    for path in listed(ledger.root / "partial"):
        if path.suffix == ".part":
            total += _check(ledger, path, keys)
    for path in listed(ledger.root / "partial"):
        if path.suffix == ".draft":
            ledger.find(path, "a note that was not finished", ledger.deleted(path), left=True)
        elif path.suffix == ".json":
            if not os.path.lexists(path.with_suffix(".part")) and plain(ledger, path):
                ledger.find(path, "a note without its file", ledger.deleted(path), left=True)
        elif path.suffix != ".part":
            foreign(ledger, path)
    return total


def _check(ledger: Ledger, path: Path, keys: set[str]) -> int:
    ledger.counts.partials += 1
    note = path.with_suffix(".json")
    if not plain(ledger, path):
        return 0
    if not os.path.lexists(note):
        ledger.find(path, "nothing is noted of it", ledger.deleted(path), left=True)
        return 0
    try:
        noted, end = _noted(note)
        wrong = "it is shorter than its note says" if end > path.stat().st_size else ""
    except (OSError, StoreError) as exc:
        wrong = str(exc)
    if wrong:
        ledger.find(path, wrong, ledger.deleted(path))
        return 0
    if noted.key in keys:
        ledger.find(path, f"another one is kept for {noted.key}", ledger.deleted(path), left=True)
        return 0
    keys.add(noted.key)
    restricted(ledger, path)
    return taken(path)


def _noted(path: Path) -> tuple[Note, int]:
    """The note, and where the last extent ends."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise StoreError("its note is no file")
    noted, extents = load_note(path.read_bytes())
    return noted, max((end for _, end in extents), default=0)
