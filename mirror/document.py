"""A TOML file as its author sees it: the tree of its values, and the line on which each key stands."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror.errors import ConfigError

Table = tuple[str, ...]
_NUMBER = re.compile(r"#\d+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: at `key` of `table`, or at the table itself where `key` is "".

    A part `#2` of a table's path is the second table of that name (`[[name]]`).
    """

    table: Table
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file that parses; `text` has its lines end with a line feed."""

    path: Path
    text: str
    tree: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Document:
        """Raises ConfigError, with line and column where the file is not TOML."""
        try:
            text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        except OSError as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
            raise ConfigError([f"{path}: {reason}"]) from error
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise ConfigError([f"{path}:{line}: not UTF-8 text"]) from error
        try:
            return cls(path, text, tomllib.loads(text))
        except (ValueError, RecursionError) as error:
            raise ConfigError([_syntax(path, text, error)]) from error

    def located(self, problems: Iterable[Problem]) -> list[str]:
        """The problems as `file:line: [table] key: text`, in the order of the file."""
        lines = _lines(self.text)
        placed = [(_line(lines, (*problem.table, problem.key)), problem) for problem in problems]
        placed.sort(key=lambda pair: pair[0] or 0)
        return [f"{self.path}{f':{line}' if line else ''}: {_named(problem)}" for line, problem in placed]


def _syntax(path: Path, text: str, error: Exception) -> str:
    found = re.fullmatch(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
    if found is None:
        return f"{path}: not TOML: {'nested too deeply' if isinstance(error, RecursionError) else error}"
    lines = text.split("\n")
    line, column = found[2] or len(lines), found[3] or len(lines[-1]) + 1
    return f"{path}:{line}:{column}: not TOML: {found[1]}"


def _line(lines: dict[Table, int], path: Table) -> int | None:
    """Where that is written, or the table that it would stand in."""
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)


def _named(problem: Problem) -> str:
    several = problem.table[-1:] != () and _NUMBER.fullmatch(problem.table[-1]) is not None
    names = [key for key in problem.table if not _NUMBER.fullmatch(key)]
    keys = [key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key) for key in (*names, problem.key)]
    table = f"[{'.'.join(keys[:-1])}]" if names else ""
    place = " ".join(filter(None, (f"[{table}]" if several else table, keys[-1] if problem.key else "")))
    return f"{place}: {problem.text}" if place else problem.text


def _lines(text: str) -> dict[Table, int]:
    """Path of each table and key -> the line, from 1, on which it is first written.

    tomllib tells no positions, but it knows where a statement ends: the shortest run of lines that parses is one,
    because a statement that is cut inside a string or an array does not.
    """
    found: dict[Table, int] = {}
    count: Counter[Table] = Counter()
    table: Table = ()
    lines, start = text.split("\n"), 0
    for end in range(1, len(lines) + 1):
        try:
            tree = tomllib.loads("\n".join(lines[start:end]))
        except ValueError:
            continue
        paths = list(_paths(tree))
        if lines[start].lstrip().startswith("[["):
            count[paths[-1]] += 1
            table = (*paths[-1], f"#{count[paths[-1]]}")
            paths.append(table)
        elif lines[start].lstrip().startswith("["):
            table = paths[-1]
        else:
            paths = [(*table, *path) for path in paths]
        for path in paths:
            found.setdefault(path, start + 1)
        start = end
    return found


def _paths(tree: dict[str, Any]) -> Iterator[Table]:
    for key, value in tree.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *rest) for rest in _paths(value))
