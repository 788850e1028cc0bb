"""Writes the record: under the lock, at the end of its last file, whole batches or nothing. All of it blocks."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from math import inf
from pathlib import Path

from mirror.audit import folder as places
from mirror.audit.chain import FILE, HEADLESS, REMOVED, TORN, Event, Link, event, read, stamp
from mirror.audit.folder import Head

PATIENCE = 5.0
"""Seconds for which another process may hold the lock."""


PORTION = 200
"""Lines that are made in one go: a millisecond, which is what a request may have to wait for the interpreter."""


class Book:
    """The record in `folder`. A file has `max_file` bytes, and what is older than `keep` seconds is deleted, file by
    file; inf: never. Other processes may write the same: where it ends is looked up for each batch."""

    def __init__(self, folder: Path, max_file: int, keep: float, wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._max_file = max_file
        self._keep = keep
        self.now = wall
        self._last = Link()

    def append(self, events: Sequence[Event]) -> None:
        """Have them on disk, in this order. OSError: none of them is."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked() as lock:
            end = _resumed(self._folder, Head.decode(os.pread(lock, 4096, 0)))
            if self._last.number >= end.link.number:  # whoever has been at the end of it meanwhile is found out
                end.link = self._last
            now = self.now()
            old = self._old(end, now)
            before = [(now, text) for text in end.notes] + [(now, text) for _, text in old]
            head = self._written(end, [*before, *events], now)
            fresh = not os.fstat(lock).st_size
            os.pwrite(lock, head.encode(), 0)
            self._last = head.link
            if fresh:  # from now on it is written in place, and has the same size
                os.fsync(lock)
                places.sync(self._folder)
            for path, _ in old:
                path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The head's file, while no other process has it."""
        path, deadline = self._folder / places.HEAD, time.monotonic() + PATIENCE
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise TimeoutError("another process holds the record") from None
                    time.sleep(0.005)
            if not os.path.samestat(os.fstat(fd), path.stat()):
                raise TimeoutError("the head was replaced meanwhile")  # the next attempt finds the new one
            yield fd
        finally:
            os.close(fd)

    def _old(self, end: _End, now: float) -> list[tuple[Path, str]]:
        """Files that ended longer ago than is kept, and what the record says of each: what the first line of the next
        one says of the last line before it."""
        found: list[tuple[Path, str]] = []
        if self._keep == inf:
            return found
        for path, behind in zip(end.files, end.files[1:], strict=False):
            text = places.first_line(behind)
            line = read(text)
            if line is None or json.loads(text)["time"] >= stamp(now - self._keep):
                break
            found.append((path, event(REMOVED, file=path.name, last=line.number - 1, hash=line.before)))
        return found

    def _written(self, end: _End, events: Sequence[Event], now: float) -> Head:
        """Write and sync; the head that says so."""
        text, link = _chained(end.link, events)
        today = stamp(now)[:10]
        name, size = end.name, end.size
        full = places.day(name) != today or size + len(text) > self._max_file
        if not name or (full and not end.cut):  # what is said of a line that was cut stands behind it
            name = places.named(end.number + 1, today)
            text, link = _chained(end.link, [(now, event(FILE, file=name)), *events])
            size = _size(self._folder / name)
        elif end.cut:
            text = b"\n" + text
        fresh = not (self._folder / name).exists()
        _append(self._folder / name, text, size)
        if fresh:
            places.sync(self._folder)
        return Head(link, name, size + len(text))


class _End:
    """Where the record ends: the last line that counts, the last file and its size. `cut`: that has no end of its last
    line; `notes`: what the record has to say of it."""

    def __init__(self, files: list[Path], head: Head | None) -> None:
        self.files = files
        self.link = head.link if head else Link()
        self.name = files[-1].name if files else ""
        self.size = files[-1].stat().st_size if files else 0
        self.number = max([places.number(path.name) for path in files] + [places.number(head.file) if head else 0])
        self.cut = False
        self.notes: list[str] = []


def _resumed(folder: Path, head: Head | None) -> _End:
    """The end of the record in a folder whose head that is. What stands behind the head's line was written by a process
    that could not say so any more: what follows in the chain counts, the rest is skipped."""
    end = _End(places.files(folder), head)
    if head is not None and end.name == head.file and end.size == head.size:
        return end
    if head is None and end.files:
        end.link = _last(end.files[-1])
        end.notes.append(event(HEADLESS))
    junk = b""
    for path in end.files:
        if head is not None and places.number(path.name) >= places.number(head.file):
            begin = head.size if path.name == head.file else 0
            junk = _adopted(end, path, begin)
    if end.files and end.size:
        end.cut = _byte(end.files[-1], end.size - 1) != b"\n"
    if head is None and end.cut:
        junk = _tail(end.files[-1])
    if junk:
        junk += b"\n" if end.cut else b""
        end.notes.append(event(TORN, bytes=len(junk), sha256=sha256(junk).hexdigest()))
    return end


def _adopted(end: _End, path: Path, begin: int) -> bytes:
    """Take the lines from there on that follow; what is left."""
    with path.open("rb") as file:
        file.seek(begin)
        rest = file.read()
    while rest:
        text, newline, behind = rest.partition(b"\n")
        line = read(text)
        if not newline or line is None or not line.follows(end.link):
            break
        end.link, rest = line.link, behind
    return rest


def _last(path: Path) -> Link:
    """The last line of a file that is one; without a head there is nothing else to go by."""
    link = Link()
    with path.open("rb") as file:
        for text in file:
            if text.endswith(b"\n") and (line := read(text[:-1])):
                link = line.link
    return link


def _tail(path: Path) -> bytes:
    """What stands behind the last end of a line."""
    return path.read_bytes().rpartition(b"\n")[2]


def _byte(path: Path, at: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(1)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _chained(link: Link, events: Sequence[Event]) -> tuple[bytes, Link]:
    """The events as lines behind that one, and the last of them. After each portion the requests' thread has a turn."""
    lines: list[bytes] = []
    for at in range(0, len(events), PORTION):
        more, link = link.lines(events[at : at + PORTION])
        lines += more
        time.sleep(0)
    return b"\n".join(lines) + b"\n" if lines else b"", link


def _append(path: Path, text: bytes, size: int) -> None:
    """Write and sync; OSError: the file is as large as it was."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        left = memoryview(text)
        while left:
            left = left[os.write(fd, left) :]
        os.fdatasync(fd)
    except OSError:
        with suppress(OSError):  # else it is found as what a crash left
            os.ftruncate(fd, size)
        raise
    finally:
        os.close(fd)
