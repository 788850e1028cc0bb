"""How `mirror fsck` tells what it finds: to a person, or to a program."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mirror.stores.checking import Counts, Finding, Report

EVERY = 2.0
"""Seconds between two lines that tell how far it is."""


class Progress(Report):
    """Tells a person how far it is."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def progress(self, what: str, done: float, counts: Counts) -> None:
        if time.monotonic() - self._told >= EVERY and sys.stderr.isatty():
            self._told = time.monotonic()
            print(f"{what}: {done:.0%}, {_counted(counts)}", file=sys.stderr)


class AsText(Progress):
    """A line for each finding, and one for all."""

    def found(self, finding: Finding) -> None:
        left = " [left by an unclean stop]" if finding.left else ""
        done = f" -> {finding.done}" if finding.done else ""
        print(f"{_printable(finding.path)}: {_printable(finding.reason)}{left}{done}")

    def failed(self, reason: str) -> None:
        print(reason, file=sys.stderr)

    def ended(self, path: Path, counts: Counts) -> None:
        found = f"{counts.damage} damaged, {counts.left} left by an unclean stop (a start mends that by itself)"
        repaired = f", {counts.repaired} repaired" if counts.repaired else ""
        good = "nothing wrong" if not counts.damage + counts.left else found
        print(f"{path}: {_counted(counts)}: {good}{repaired}")


class AsJson(Progress):
    """One document, written while it is made: there may be many findings."""

    def __init__(self, path: Path, chosen: argparse.Namespace) -> None:
        super().__init__()
        self._first: dict[str, Any] | None = {"path": str(path), "repair": chosen.repair, "quick": chosen.quick}

    def found(self, finding: Finding) -> None:
        sys.stdout.write(self._begun() + json.dumps(asdict(finding)))

    def _begun(self) -> str:
        """What comes before the next finding."""
        if self._first is None:
            return ",\n"
        first, self._first = json.dumps(self._first), None
        return first[:-1] + ', "findings": [\n'

    def _end(self, last: dict[str, Any]) -> None:
        begin = self._begun() if self._first is not None else ""
        print(f"{begin}], {json.dumps(last)[1:]}")

    def failed(self, reason: str) -> None:
        self._end({"error": reason})

    def ended(self, path: Path, counts: Counts) -> None:
        self._end({"checked": asdict(counts)})


def _counted(counts: Counts) -> str:
    size = f"{counts.blobs} blobs ({counts.size / 1e9:.1f} GB)"
    return f"{size}, {counts.entries} entries, {counts.partials} unfinished downloads, {counts.facts} lists of facts"


def _printable(text: str) -> str:
    """A name may hold anything, a line's end too."""
    return text if text.isprintable() else repr(text)[1:-1]
