"""What a lock file names: things that are wanted, and those that are not, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that a lock file names.

    `ecosystem` is pypi, npm, or "" for an address as it stands, in `url`. `version` is a specifier for pypi (`==1.0`,
    `>=2`), and the version itself for npm. `hashes` as `sha256:HEX`; none: any. `url` is where the lock file has it
    from, "" where it does not say. `marker` says in which environments it is wanted ("": all), `platform` on which
    machines (None: all).
    """

    ecosystem: str
    name: str = ""
    version: str = ""
    url: str = ""
    hashes: frozenset[str] = frozenset()
    marker: str = ""
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class Platform:
    """Which machines an npm package is for, as its manifest says it (`linux`, `!win32`); empty: all."""

    systems: tuple[str, ...] = ()
    processors: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """One thing that is not fetched, and why."""

    what: str
    reason: str


@dataclass(slots=True)
class Lock:
    """All of a file, in its order. `includes` are other files that it names (`-r`), relative to it."""

    wanted: list[Wanted] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)

    def skip(self, what: str, reason: str) -> None:
        self.skipped.append(Skipped(what, reason))


def text(tree: object, key: str) -> str:
    """The text at a key of a table; "" where there is none, or it is something else."""
    found = tree.get(key) if isinstance(tree, dict) else None
    return found if isinstance(found, str) else ""


def tables(tree: object, key: str) -> Iterator[dict[str, Any]]:
    """The tables in the list at a key; none where it is something else."""
    found = tree.get(key) if isinstance(tree, dict) else None
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict):
            yield each


def texts(tree: object, key: str) -> tuple[str, ...]:
    """The texts at a key: of a list, or a single one."""
    found = tree.get(key) if isinstance(tree, dict) else None
    several = found if isinstance(found, list) else [found]
    return tuple(each for each in several if isinstance(each, str))
