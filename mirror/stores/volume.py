"""The file system that a path is on, and what may still be written to it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

PLENTY = 1 << 30
"""Free bytes beyond those that are needed, with which an answer holds: no disk takes so many in a moment."""

FILES = 10_000
"""Files of which the same is so."""

MOMENT = 0.1
"""Seconds for which it holds."""


class Volume:
    """What this user may still use of the file system of `path`: nothing where it cannot be asked. It is asked for
    bytes and files at once, and not again for a moment where there is plenty of both: each question lets another
    thread go first, for a millisecond where that one makes a file. `clock` gives seconds."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._free = 0
        self._files = 0
        self._until = 0.0  # so long the answer holds

    def free(self, need: int) -> int:
        """Bytes that may be written; where `need` and plenty more may, as of a moment ago."""
        plenty = self._free >= need + PLENTY and self._files >= FILES
        if not plenty or self._clock() >= self._until:
            self._ask()
            self._until = self._clock() + MOMENT
        return self._free

    def files(self) -> int:
        """Files that may be made, as of the last time that bytes were asked for; where nobody counts them, enough."""
        return self._files

    def _ask(self) -> None:
        try:
            status = os.statvfs(self._path)
        except OSError:
            self._free = self._files = 0
            return
        self._free = status.f_bavail * status.f_frsize
        self._files = status.f_favail if status.f_files else 1 << 62
