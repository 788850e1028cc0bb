"""A record that a test writes, and what is said of it when somebody has been at it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from mirror.audit.book import Book
from mirror.audit.chain import read
from mirror.audit.folder import files
from mirror.audit.handed import handed
from mirror.audit.verifying import Finding, verify
from mirror.model import Mirror, Request

NOON = 1_795_694_400.0  # 2026-11-26 12:00 UTC
DAY = 86400.0
PYPI = Mirror("pypi", "pypi")


@dataclass
class Clock:
    now: float = NOON

    def __call__(self) -> float:
        return self.now


@dataclass
class Written:
    """The record in a folder. Each `given` is a batch of its own."""

    folder: Path
    max_file: int = 1 << 30
    keep: float = inf
    clock: Clock = field(default_factory=Clock)

    def book(self) -> Book:
        return Book(self.folder, self.max_file, self.keep, self.clock)

    def given(self, count: int = 1, package: str = "six", client: str = "10.0.0.1") -> None:
        for number in range(count):
            self.book().append([(self.clock.now, given(package, f"1.{number}", client))])

    def files(self) -> list[Path]:
        return files(self.folder)

    def lines(self, at: int = -1) -> list[bytes]:
        return self.files()[at].read_bytes().splitlines(keepends=True)

    def put(self, lines: list[bytes], at: int = -1) -> None:
        self.files()[at].write_bytes(b"".join(lines))

    def events(self) -> list[str]:
        """What all lines are about."""
        return [told["event"] for told in self.told()]

    def told(self) -> list[dict[str, Any]]:
        """All lines, less those that are none."""
        lines = [line for path in self.files() for line in path.read_bytes().splitlines()]
        return [json.loads(line) for line in lines if read(line) is not None]

    def found(self) -> list[Finding]:
        found: list[Finding] = []
        verify(self.folder, found.append)
        return found

    def wrong(self) -> list[tuple[int, str]]:
        """Line and text of what is wrong, whatever the file."""
        return [(finding.line, finding.text) for finding in self.found() if finding.wrong]


def given(package: str = "six", version: str = "1.0", client: str = "10.0.0.1") -> str:
    """The members of a line: that client got that version."""
    known = handed(PYPI, Request("GET", f"/files/x/{package}-{version}.tar.gz"), "ab" * 32)
    assert known is not None
    return known.members(client, 200, 100, "HIT", whole=True)
