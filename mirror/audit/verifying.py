"""Whether the record is as it was written: each line, their order, and the end that the head knows of."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mirror.audit import folder as places
from mirror.audit.chain import BEGINNING, FILE, HEADLESS, LOST, REMOVED, TORN, Line, Link, read


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of a line of a file (0: of the file). `wrong`: the record was changed, or may be."""

    file: str
    line: int
    text: str
    wrong: bool = True


@dataclass(frozen=True, slots=True)
class Verified:
    """So many lines in so many files; the last one of them, and how many findings are wrong. `known`: the hash that was
    asked for is one of a line."""

    lines: int
    files: int
    link: Link
    wrong: int
    known: bool


Report = Callable[[Finding], None]


def verify(folder: Path, report: Report, known: str = "") -> Verified:
    """Look at all of the record in a folder, also while it is written. OSError where that cannot be read."""
    head = places.read_head(folder)  # before the lines: those that come meanwhile are no surprise
    reading = _Reading(report, head.link if head else Link(), known)
    files = places.files(folder)
    for path in files:
        with suppress(FileNotFoundError):  # removed in this moment, for its age: a line says so, or it is missing
            reading.file(path)
    reading.end()
    if head is None and files:
        reading.say(Finding(places.HEAD, 0, "is missing: nobody knows whether lines are missing at the end"))
    elif head is not None and reading.link.number < head.link.number:
        last = files[-1].name if files else head.file
        missing = _missing(reading.link.number + 1, head.link.number)
        reading.say(Finding(last, reading.at, f"{missing} missing at its end, of which the head knows"))
    return Verified(reading.lines, len(files), reading.link, reading.wrong, reading.known)


class _Reading:
    """One pass over all lines. `link`: the last one that counts."""

    def __init__(self, report: Report, head: Link, known: str) -> None:
        self.link = Link()
        self.lines = self.wrong = self.at = 0
        self.known = False
        self._report = report
        self._head = head
        self._asked = known
        self._file = self._before = ""  # this file, and what the first line says of the one before
        self._last: tuple[str, int] = ("", 0)  # where the last line that counts is
        self._first: tuple[str, Link] | None = None
        self._junk, self._junk_at = b"", 0
        self._removed: dict[int, str] = {}

    def say(self, finding: Finding) -> None:
        self.wrong += finding.wrong
        self._report(finding)

    def _wrong(self, text: str, at: int | None = None) -> None:
        self.say(Finding(self._file, self.at if at is None else at, text))

    def file(self, path: Path) -> None:
        self._file, self.at = path.name, 0
        with path.open("rb") as file:
            for self.at, text in enumerate(file, 1):
                line = read(text[:-1]) if text.endswith(b"\n") else None
                if line is None:
                    self._junk_at = self._junk_at or self.at
                    self._junk += text
                else:
                    self._line(line, text)
        self._rest()

    def _rest(self) -> None:
        """What is no line, and nothing in this file says why."""
        if self._junk.endswith(b"\n"):
            self._wrong("is no line of the record", self._junk_at)
        elif self._junk:
            text = "is not whole: the process that wrote it was stopped, and nobody has written since"
            self.say(Finding(self._file, self._junk_at, text, wrong=False))
        self._junk, self._junk_at = b"", 0

    def _line(self, line: Line, text: bytes) -> None:
        self.lines += 1
        self.known = self.known or line.hash == self._asked
        self._placed(line)
        if self._junk:
            self._torn(line, text)
        if line.event in _TELLING:
            self._told(line.event, _object(text))

    def _placed(self, line: Line) -> None:
        """Whether it is where it belongs."""
        if self._first is None:
            self._first = (self._file, Link(line.number - 1, line.before))
        elif line.number <= self.link.number:
            self._wrong(f"record {line.number} stands behind record {self.link.number}: it was moved, or written again")
            return
        elif line.number > self.link.number + 1:
            self._wrong(f"{_missing(self.link.number + 1, line.number - 1)} missing before it")
        elif line.before != self.link.hash:
            file, at = self._last
            where = "the line behind it" if file == self._file else f"the first line of {self._file}"
            self.say(
                Finding(file, at, f"record {self.link.number} was changed: {where} was written behind another one")
            )
        if line.number == self._head.number and line.hash != self._head.hash:
            self._wrong(f"record {line.number} was changed: the head knows another one")
        self.link, self._last = line.link, (self._file, self.at)

    def _torn(self, line: Line, text: bytes) -> None:
        told = _object(text) if line.event == TORN else {}
        if told.get("sha256") != sha256(self._junk).hexdigest():
            self._wrong("is no line of the record", self._junk_at)
        else:
            what = f"{len(self._junk)} bytes of a line that was not whole when its process was stopped"
            self.say(Finding(self._file, self._junk_at, what, wrong=False))
        self._junk, self._junk_at = b"", 0

    def _told(self, event: str, told: dict[str, Any]) -> None:
        if event == FILE and told.get("file") != self._file:
            self._wrong(f"this file was {told.get('file')} when it was written")
        elif event == REMOVED:
            self._removed[told.get("last", 0)] = str(told.get("hash"))
        elif event == HEADLESS:
            self._wrong("the head was missing when this was written: nobody knows whether lines are missing before it")
        elif event == LOST:
            text = f"{told.get('records')} records could not be written from {told.get('since')} to {told.get('until')}"
            self.say(Finding(self._file, self.at, text, wrong=False))

    def end(self) -> None:
        """Whether the record begins where it may: with the first line, or behind what was removed for its age."""
        if self._first is None:
            return
        file, link = self._first
        begins = BEGINNING if link.number == 0 else self._removed.get(link.number)
        if begins is None:
            self.say(Finding(file, 1, f"{_missing(1, link.number)} missing before it, and no line says why"))
        elif begins != link.hash:
            self.say(Finding(file, 1, "was written behind another line than the one that was there"))


_TELLING = frozenset({FILE, REMOVED, HEADLESS, LOST})


def _missing(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"


def _object(text: bytes) -> dict[str, Any]:
    """What a line tells; nothing where it was changed into something else."""
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
