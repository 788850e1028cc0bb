"""Breaks the code as breaks.toml says, one way after the other, and sees the tests of the scorecard's rows turn red:
`python -m tests.reliability.breaks [--row N]... [--list]`. Exit status 1 where a break was not noticed."""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.reliability.rows import ROWS

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Change:
    """One text of a file below mirror/, and what stands in its place when it is broken."""

    file: str
    old: str
    new: str

    def applied(self, tree: Path) -> str:
        """The broken text of the file; ValueError where what is to be changed does not stand there exactly once."""
        text = (tree / "mirror" / self.file).read_text()
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"mirror/{self.file} has {found} times, and not once: {self.old!r}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Break:
    """`changes` that break what `rows` promise, `why`: what is broken by them, `tests`: some that must notice."""

    rows: tuple[int, ...]
    why: str
    tests: tuple[str, ...]
    changes: tuple[Change, ...]


def load(text: str) -> tuple[Break, ...]:
    return tuple(_break(each) for each in tomllib.loads(text)["break"])


def _break(each: dict[str, Any]) -> Break:
    rows = each["row"] if isinstance(each["row"], list) else [each["row"]]
    first = {name: each[name] for name in ("file", "old", "new")}
    changes = tuple(Change(**change) for change in (first, *each.get("also", ())))
    return Break(tuple(rows), each["why"], tuple(each["tests"]), changes)


BREAKS = load(Path(__file__).with_suffix(".toml").read_text())


def of_row(number: int) -> tuple[Break, ...]:
    return tuple(each for each in BREAKS if number in each.rows)


@cache
def named_in(path: str) -> dict[str, str]:
    """The tests in that file, as pytest names them (`test_a`, `TestB::test_c`), and what their docstrings say."""
    tree = ast.parse((ROOT / path).read_text())
    found = {}
    for node in tree.body:
        within = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for each in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                found[within + each.name] = ast.get_docstring(each) or ""
    return found


def _listed(breaks: Sequence[Break]) -> None:
    for each in breaks:
        files = ", ".join(dict.fromkeys(change.file for change in each.changes))
        print(f"{_rows(each):>9}  {files}: {each.why}")


def _rows(each: Break) -> str:
    return ",".join(map(str, each.rows))


def _seen(breaks: Sequence[Break]) -> int:
    """The table of what was broken; how many breaks were not noticed."""
    from tests.reliability.breaking import Place  # which starts processes: none for a list

    missed = 0
    print(f"{'row':>9}  {'seen':5} {'s':>5}  broken, and who noticed", flush=True)
    with Place.made(ROOT, breaks) as place:
        for each in breaks:
            verdict = place.tried(each)
            missed += not verdict.red
            seen = "red" if verdict.red else "NO"
            print(f"{_rows(each):>9}  {seen:5} {verdict.seconds:5.0f}  {each.why}", flush=True)
            print(f"{'':24}{verdict.said}", flush=True)
    print(f"{len(breaks) - missed} of {len(breaks)} seen red")
    return missed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.breaks", description=__doc__)
    parser.add_argument("--row", type=int, action="append", choices=[*ROWS], metavar="N", help="this row's alone")
    parser.add_argument("--why", default="", metavar="TEXT", help="those alone whose reason has this text")
    parser.add_argument("--list", action="store_true", help="only tell what would be broken")
    given = parser.parse_args(arguments)
    breaks = [each for each in BREAKS if not given.row or set(given.row) & set(each.rows)]
    breaks = [each for each in breaks if given.why in each.why]
    if given.list:
        _listed(breaks)
        return 0
    return int(_seen(breaks) > 0)


if __name__ == "__main__":
    sys.exit(main())
