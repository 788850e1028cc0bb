"""Where the index is while its own folder takes no writes: on a disk that is full, read-only or broken SQLite cannot
even read a database of ours. What is stored can be served all the same, with a copy of the index in memory.

/dev/shm/mirror-<uid>-<id>/index.v1     id: the first 16 hex digits of the sha256 of the cache's path
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path

import diskcache

from mirror.stores.files import REFUSALS

NEEDED = 1 << 20
"""Bytes that a folder must take for a database to be opened there."""

BASES = (Path("/dev/shm"),)  # noqa: S108  a folder of our own is made there, and others' are not believed


def refusal(folder: Path) -> OSError | None:
    """Why files cannot be written in this folder; None: they can, or it is no fault of the disk. Blocks."""
    probe = (folder if folder.is_dir() else folder.parent) / f"probe-{secrets.token_hex(8)}"
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            probe.unlink()
            os.posix_fallocate(fd, 0, NEEDED)
        finally:
            os.close(fd)
    except OSError as exc:
        return exc if exc.errno in REFUSALS else None
    return None


def places(folder: Path) -> list[Path]:
    """Where the stand-in of the index in this folder may be, the best first."""
    name = f"mirror-{os.geteuid()}-{hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]}"
    return [base / name / folder.name for base in (*BASES, Path(tempfile.gettempdir()))]


def found(folder: Path) -> Path | None:
    """The stand-in of the index in this folder, where there is one. Blocks."""
    return next((place for place in places(folder) if _ours(place.parent)), None)


def made(folder: Path, place: Path, *, copied: bool) -> None:
    """Make the stand-in at that place: with a copy of the database, or empty. OSError. Blocks."""
    place.parent.mkdir(mode=0o700)
    place.mkdir(mode=0o700)
    for suffix in ("", "-wal") if copied else ():
        name = f"{diskcache.core.DBNAME}{suffix}"
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(folder / name, place / name)


def removed(folder: Path) -> None:
    """There is no stand-in of this index, from now on. Blocks."""
    for place in places(folder):
        if _ours(place.parent):
            shutil.rmtree(place.parent, ignore_errors=True)


def _ours(folder: Path) -> bool:
    """Whether it is a folder that nobody else can have made, or write to."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
