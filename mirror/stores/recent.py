"""Which blobs were stored last: the rows of some may not have been written when a server is killed.

recent, recent.before      ids of blobs, one to a line, the oldest first
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from mirror.stores.files import read_own

MOST = 2000
"""Ids in one file; more than rows are ever written behind."""


class Recent:
    """See the module. All blocks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = path.with_suffix(".before")
        self._lock = threading.Lock()  # for both:
        self._fd = -1
        self._count = MOST

    def note(self, blob: str) -> None:
        """It is stored. A disk that refuses only makes a start after a kill slower."""
        with self._lock, contextlib.suppress(OSError):
            if self._count >= MOST:
                self._begin()
            os.write(self._fd, f"{blob}\n".encode())
            self._count += 1

    def _begin(self) -> None:
        self._shut()
        with contextlib.suppress(FileNotFoundError):
            self._path.rename(self._before)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self._path, flags, 0o600)
        self._count = 0

    def blobs(self) -> list[str]:
        """Those that were stored last, and perhaps are gone again; what is no id is left out."""
        lines: list[str] = []
        for path in (self._before, self._path):
            with contextlib.suppress(OSError):
                lines += read_own(path)[-64 * MOST :].decode("ascii", "replace").splitlines()
        return [line for line in dict.fromkeys(lines) if len(line) == 16 and line.isalnum()]

    def _shut(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        """Nothing is stored any more."""
        with self._lock:
            self._shut()
            self._count = MOST
