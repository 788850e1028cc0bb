"""The lines of the record, of which each holds the hash of the one before. Pure."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

BEGINNING = "0" * 64
"""What stands for the hash of the line before the first."""

GIVEN, REFUSED = "given", "refused"
"""Events that are about an artifact: somebody got bytes of it, or was told that the policy does not let it through."""
FILE, START, STOP = "file", "start", "stop"
"""A file begins; a process begins to write, ends in order."""
TORN, LOST, REMOVED, HEADLESS = "torn", "lost", "removed", "headless"
"""What a crash left is skipped; records could not be written; a file is deleted, because it is old; the head was
missing, so that nobody knows whether lines are missing at the end."""

_LINE = re.compile(rb'\{"n":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})","time":"[^"]*","event":"([a-z]+)"')


Event = tuple[float, str]
"""An instant (wall clock), and members of an object."""


class Link(NamedTuple):
    """A line as the next one knows it: its number, and its hash (hex)."""

    number: int = 0
    hash: str = BEGINNING

    def lines(self, events: Iterable[Event]) -> tuple[list[bytes], Link]:
        """The lines that follow, without their ends, and the last of them."""
        number, before = self
        lines, second, day = [], -1, ""
        for at, members in events:
            if int(at) != second:
                second = int(at)
                day = stamp(at)[:-4]
            number += 1
            millis = f"{int(at * 1000) % 1000:03d}"
            line = f'{{"n":{number},"prev":"{before}","time":"{day}{millis}Z",{members}}}'.encode()
            before = hashed(line)
            lines.append(line)
        return lines, Link(number, before)


class Line(NamedTuple):
    """A line that was read: the hash `before` it, its own, and what it tells."""

    number: int
    before: str
    event: str
    hash: str

    @property
    def link(self) -> Link:
        return Link(self.number, self.hash)

    def follows(self, link: Link) -> bool:
        return self.number == link.number + 1 and self.before == link.hash


def hashed(line: bytes) -> str:
    """A line's hash: the SHA-256 of its bytes without the end of the line. The hash before it is among them."""
    return sha256(line).hexdigest()


def read(line: bytes) -> Line | None:
    """A line without its end; None where it is none of the record."""
    found = _LINE.match(line)
    if found is None or not line.endswith(b"}"):
        return None
    return Line(int(found[1]), found[2].decode(), found[3].decode(), hashed(line))


def stamp(at: float) -> str:
    """An instant (wall clock) as the record has it: RFC 3339, UTC, milliseconds."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at * 1000) % 1000:03d}Z"


def event(name: str, **members: object) -> str:
    """The members of a line that is about the record itself."""
    return json.dumps({"event": name, **members}, separators=(",", ":"))[1:-1]
