"""What index documents said of files: is each list whole and in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from mirror.stores.checking.findings import Ledger
from mirror.stores.checking.places import foreign, listed, plain, private
from mirror.stores.fact_lists import LINES, Document
from mirror.stores.facts import file_of


def check_facts(ledger: Ledger, *, quick: bool) -> None:
    """Not `quick`: each line of each list."""
    for folder in listed(ledger.root / "facts.v1"):
        if folder.is_symlink() or not folder.is_dir():
            foreign(ledger, folder)
            continue
        private(ledger, folder)
        for path in listed(folder):
            if path.suffix == ".draft":
                ledger.find(path, "a list that was not finished", ledger.deleted(path), left=True)
            elif not re.fullmatch("[0-9a-f]{32}", path.name):
                foreign(ledger, path)
            elif plain(ledger, path):
                ledger.counts.facts += 1
                if wrong := _wrong(path, quick=quick):
                    ledger.find(path, wrong, ledger.deleted(path))


def _wrong(path: Path, *, quick: bool) -> str:
    try:
        with path.open("rb") as file:
            document = Document(file.fileno())
            if file_of(document.slot) != path.name:
                return "the facts of another document"
            file.readline()
            return "" if quick else _disorder(file, LINES[document.form])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        return f"no list of facts: {exc}"


def _disorder(lines: BinaryIO, right: re.Pattern[bytes]) -> str:
    before = b""
    for line in lines:
        if not right.fullmatch(line):
            return "a line in it is damaged"
        name = line.partition(b"\t")[0]
        if name <= before:
            return "its lines are not in order"
        before = name
    return ""
