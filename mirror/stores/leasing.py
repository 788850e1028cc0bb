"""The lock of a cache's path, and the marker that its last server stopped as it should."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from mirror.errors import StoreError
from mirror.stores.files import REFUSALS, sync_folders


def locked(path: Path) -> int:
    """A descriptor that holds the lock until it is closed; StoreError when another process has it."""
    fd = _opened(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with contextlib.suppress(OSError):  # only for who reads it: a full disk keeps nobody from starting
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)
    except BlockingIOError as exc:
        pid = "unknown"
        with contextlib.suppress(OSError):
            pid = os.pread(fd, 20, 0).decode("ascii", "replace") or pid
        os.close(fd)
        raise StoreError(f"another server (process {pid}) uses the cache at {path.parent}") from exc
    except OSError:
        os.close(fd)
        raise
    return fd


def _opened(path: Path) -> int:
    """The file, made where there is none; where the disk takes no writes, as it is, or the folder in its place."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags | os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        if exc.errno not in REFUSALS:
            raise
    try:
        return os.open(path, flags | os.O_RDONLY)
    except FileNotFoundError:
        return os.open(path.parent, flags | os.O_RDONLY | os.O_DIRECTORY)


def taken_away(path: Path) -> bool:
    """True when the marker stood there. It is gone for good then: a power cut must not bring it back."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    sync_folders({path.parent})
    return True
