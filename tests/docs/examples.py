"""The examples of the manual and the README: fenced blocks, each to be run or read as what it says it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.instruments.server import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(\w+)?(?: title=\"([^\"]+)\")?\s*$")
_WHY_NOT = re.compile(r"^<!-- not run: (.+) -->$")


@dataclass(frozen=True, slots=True)
class Example:
    """A block of `page` that begins at `line`; `title` names the file that it is, `why_not` says why it is not run."""

    page: str
    line: int
    language: str
    title: str
    text: str
    why_not: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def examples(language: str) -> list[Example]:
    """All blocks in that language."""
    return [example for page in PAGES for example in _blocks(page) if example.language == language]


def _blocks(page: Path) -> Iterator[Example]:
    begin, opened, before, lines = 0, None, "", list[str]()
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            begin, opened, lines = number, fence, []
        elif opened is not None and line.strip() == "```":
            reason = _WHY_NOT.match(before)
            text = "\n".join(lines) + "\n"
            yield Example(page.name, begin, opened[1] or "", opened[2] or "", text, reason[1] if reason else "")
            opened, before = None, ""
        elif opened is not None:
            lines.append(line)
        elif line.strip():
            before = line.strip()
