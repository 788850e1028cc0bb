"""What is found wrong below a cache's path, and what is done about it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mirror.errors import StoreError
from mirror.stores.files import remove


@dataclass(frozen=True, slots=True)
class Finding:
    """`path` is relative to the cache's. `left`: an unclean stop leaves such, and the next start mends it by itself;
    else it is damage. `done`: how it was repaired, "" where it was not."""

    path: str
    reason: str
    left: bool = False
    done: str = ""


class Report(Protocol):
    """Is told of each finding at once, and now and then how far it is."""

    def found(self, finding: Finding) -> None: ...

    def progress(self, what: str, done: float, counts: Counts) -> None:
        """`done`: the part of `what` that was looked at, 0 to 1."""
        ...


@dataclass(slots=True)
class Counts:
    """How many of each were looked at; `size`: bytes of the blobs; `damage` and `left`: findings; `open_damage`: that
    was not repaired; `repaired`: findings that were."""

    blobs: int = 0
    size: int = 0
    entries: int = 0
    partials: int = 0
    facts: int = 0
    damage: int = 0
    left: int = 0
    open_damage: int = 0
    repaired: int = 0


class Ledger:
    """Takes down what is found below `root`, and has it mended where that is asked for. `clean`: the last server that
    used the path stopped as it should."""

    def __init__(self, root: Path, report: Report, *, repair: bool, clean: bool) -> None:
        self.root = root
        self.owner = root.stat().st_uid
        self.repair = repair
        self.clean = clean
        self.counts = Counts()
        self._report = report

    def find(self, path: Path, reason: str, mend: Callable[[], str], *, left: bool = False) -> None:
        """`mend` does what is to be done, and says it in the past tense; StoreError or OSError when it cannot be."""
        done = ""
        if self.repair:
            try:
                done = mend()
            except (OSError, StoreError) as exc:
                reason = f"{reason} (cannot be repaired: {exc})"
        counts = self.counts
        counts.left += left
        counts.damage += not left
        counts.open_damage += not left and not done
        counts.repaired += bool(done)
        self._report.found(Finding(str(path.relative_to(self.root)), reason, left, done))

    def progress(self, what: str, done: float) -> None:
        self._report.progress(what, done, self.counts)

    def deleted(self, path: Path) -> Callable[[], str]:
        """Of what can be fetched or made again, and of what has no bytes of its own."""

        def mend() -> str:
            remove(path)
            if os.path.lexists(path):
                raise StoreError("it cannot be deleted")
            return "deleted"

        return mend

    def set_aside(self, path: Path) -> Callable[[], str]:
        """Of what is not the mirror's own, and may be somebody's."""

        def mend() -> str:
            lost = self.root / "lost"
            lost.mkdir(mode=0o700, exist_ok=True)
            name = "_".join(path.relative_to(self.root).parts)
            target, number = lost / name, 1
            while os.path.lexists(target):
                target, number = lost / f"{name}.{number}", number + 1
            path.rename(target)
            return f"moved to lost/{target.name}"

        return mend
