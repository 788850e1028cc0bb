"""Where log lines go: whole lines, whoever else writes there. Nothing here raises, or waits for long."""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TextIO

AT_ONCE = select.PIPE_BUF
"""Bytes that go into a pipe whole or not at all."""

PATIENCE = 0.1
"""Seconds that a reader of a pipe is waited for, each time that lines are written, and no more until it reads again."""


class Sink(Protocol):
    """Takes lines."""

    def write(self, text: str) -> None:
        """Whole lines."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


class StreamSink:
    """Standard error. A pipe that nobody reads is not waited for: what does not fit is lost, and that is told later."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lost = 0
        try:
            self._fd = self._stream.fileno()
            self._regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
        except (OSError, ValueError):  # it has no descriptor
            self._fd, self._regular = -1, True

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more; serving goes on
            if self._regular:
                self._stream.write(text)
                self._stream.flush()
            else:
                self._stream.flush()
                self._write_pipe(text)

    def _write_pipe(self, text: str) -> None:
        if self._lost and self._room(0.0):
            text, self._lost = f"{self._lost} lines of the log are lost: nobody read them\n{text}", 0
        deadline = time.monotonic() + PATIENCE
        for part in _parts(text.encode("utf-8", "backslashreplace")):
            if self._lost or not self._room(max(0.0, deadline - time.monotonic())):
                self._lost += part.count(b"\n")
            else:
                os.write(self._fd, part)

    def _room(self, patience: float) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(1000 * patience))

    def close(self) -> None:
        return None


def _parts(data: bytes) -> Iterator[bytes]:
    """Whole lines, so many that they go into a pipe at once; a longer line in pieces."""
    at = 0
    while at < len(data):
        end = at + AT_ONCE
        if end < len(data):
            end = data.rfind(b"\n", at, end) + 1 or end
        yield data[at:end]
        at = end


class FileSink:
    """A file that is appended to, and opened again when another stands at its path, or none (as logrotate does it).

    Processes may share it: each write is whole lines. That it cannot be written is told once to standard error.
    """

    def __init__(self, path: Path) -> None:
        """OSError where it cannot be opened."""
        self._path = path
        self._fd = -1
        self._known: tuple[int, int] | None = None
        self._failing = False
        self._cut = False  # the last line is not whole
        self._open()

    def write(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        try:
            self._open()
            self._append(b"\n" + data if self._cut else data)
            self._failing = False
        except OSError as exc:
            if not self._failing:
                self._failing = True
                StreamSink().write(f"the log cannot be written to {self._path}: {exc.strerror or exc}\n")

    def _append(self, data: bytes) -> None:
        while data:
            written = os.write(self._fd, data)
            self._cut = written < len(data)
            data = data[written:]

    def _open(self) -> None:
        try:
            status = self._path.stat()
            if self._known == (status.st_dev, status.st_ino):
                return
        except FileNotFoundError:
            pass
        self.close()
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        status = os.fstat(self._fd)
        self._known, self._cut = (status.st_dev, status.st_ino), False

    def close(self) -> None:
        fd, self._fd, self._known = self._fd, -1, None
        if fd >= 0:
            with suppress(OSError):
                os.close(fd)
