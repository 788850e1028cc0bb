"""Checks all that stands below a cache's path, and repairs it, while no server uses it.

What can be fetched or made again is deleted when it is damaged; what is not the mirror's own is moved to `lost/`. A
blob without an entry gets one. Memory: some bytes for each entry.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial as bind
from pathlib import Path

from mirror.errors import StoreError
from mirror.stores.checking.blobs import Blobs
from mirror.stores.checking.entries import Entries
from mirror.stores.checking.facts import check_facts
from mirror.stores.checking.findings import Counts, Finding, Ledger, Report
from mirror.stores.checking.partials import check_partials
from mirror.stores.checking.places import check_top
from mirror.stores.leasing import locked, taken_away

__all__ = ["Counts", "Finding", "Report", "check"]

THREADS = 4


def check(path: Path, report: Report, *, repair: bool = False, quick: bool = False) -> Counts:
    """See the module. `quick`: bodies are not read. StoreError when a server uses the path, or it is not to be used by
    this user."""
    if not path.is_dir():
        return Counts()
    if (owner := path.stat().st_uid) != os.geteuid():
        raise StoreError(f"the cache at {path} belongs to user {owner}: run this as that user")
    try:
        lock = locked(path / "lock")
    except OSError as exc:
        raise StoreError(f"cannot use the cache at {path}: {exc.strerror or exc}") from exc
    try:
        return _check(Ledger(path, report, repair=repair, clean=_clean(path)), quick=quick)
    except OSError as exc:
        raise StoreError(f"cannot check the cache at {path}: {exc}") from exc
    finally:
        os.close(lock)


def _clean(path: Path) -> bool:
    return os.path.lexists(path / "clean")


def _check(ledger: Ledger, *, quick: bool) -> Counts:
    if ledger.repair:
        taken_away(ledger.root / "clean")  # if this does not come to its end, a server is to look for itself
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1), "mirror-fsck") as pool:
        check_top(ledger)
        blobs = Blobs(ledger, pool, quick=quick)
        blobs.check()
        Entries(ledger, pool, blobs.bad, quick=quick).check()
    total = blobs.taken + check_partials(ledger)
    check_facts(ledger, quick=quick)
    _check_taken(ledger, total)
    if ledger.repair and ledger.counts.repaired == ledger.counts.damage + ledger.counts.left:
        (ledger.root / "clean").touch(mode=0o600)
    return ledger.counts


def _check_taken(ledger: Ledger, total: int) -> None:
    """That file holds an upper bound: a server that trusts too low a one takes more than it may."""
    path = ledger.root / "taken"
    try:
        said = int(path.read_bytes())
    except FileNotFoundError:
        return  # then it is counted
    except (OSError, ValueError):
        ledger.find(path, "no number of bytes", ledger.deleted(path))
        return
    if said < total:
        ledger.find(path, f"says {said} bytes, and {total} are taken", bind(_said, path, total))


def _said(path: Path, total: int) -> str:
    path.write_bytes(b"%020d\n" % total)
    return "set right"
