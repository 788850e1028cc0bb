"""The lock of a cache's path, and the marker that its last server stopped as it should."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from mirror.errors import StoreError
from mirror.stores.files import sync_folders


def locked(path: Path) -> int:
    """A descriptor that holds the lock until it is closed; StoreError when another process has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with contextlib.suppress(OSError):  # only for who reads it: a full disk keeps nobody from starting
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)
    except BlockingIOError as exc:
        pid = os.pread(fd, 20, 0).decode("ascii", "replace") or "unknown"
        os.close(fd)
        raise StoreError(f"another server (process {pid}) uses the cache at {path.parent}") from exc
    except OSError:
        os.close(fd)
        raise
    return fd


def taken_away(path: Path) -> bool:
    """True when the marker stood there. It is gone for good then: a power cut must not bring it back."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    sync_folders({path.parent})
    return True
