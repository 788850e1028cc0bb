"""The rows of the scorecard: what is promised when things go wrong, and how peers do. Their texts: rows.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One promise. `without`: why no test here shows it, or which part of it none shows; empty when all is shown."""

    number: int
    name: str
    promise: str
    peers: str = ""
    without: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that concern one thing, in the page's order."""

    name: str
    rows: tuple[Row, ...]


GROUPS = tuple(
    Group(group["name"], tuple(Row(**row) for row in group["row"]))
    for group in tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["group"]
)

ROWS = {row.number: row for group in GROUPS for row in group.rows}
