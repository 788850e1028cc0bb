"""What a run of the tests has shown, as JSON: `plugin.py` writes it, `page.py` reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one test (`node`, with its parameters) has shown of these rows, each with the size at which it shows it
    (empty: the promise's own). `why`: the reason of a skip."""

    node: str
    rows: dict[int, str]
    outcome: str
    figures: tuple[str, ...] = ()
    why: str = ""

    @property
    def test(self) -> str:
        """The node without its parameters."""
        return self.node.partition("[")[0]


@dataclass(frozen=True, slots=True)
class Seen:
    """One run, or several: the days, the kinds of machine, and the last outcome of each test."""

    days: tuple[str, ...]
    machines: tuple[str, ...]
    outcomes: tuple[Outcome, ...]


def write(path: Path, seen: Seen) -> None:
    path.write_text(json.dumps(asdict(seen), indent=1) + "\n")


def read(paths: Iterable[Path]) -> Seen:
    """The runs of these files as one; of a test that ran twice, the later file's outcome holds."""
    days: dict[str, None] = {}
    machines: dict[str, None] = {}
    outcomes: dict[str, Outcome] = {}
    for path in paths:
        told = json.loads(path.read_text())
        days |= dict.fromkeys(told["days"])
        machines |= dict.fromkeys(told["machines"])
        for one in (Outcome(**each) for each in told["outcomes"]):
            rows = {int(number): at for number, at in one.rows.items()}  # JSON's names are texts
            outcomes[one.node] = replace(one, rows=rows, figures=tuple(one.figures))
    return Seen(tuple(days), tuple(machines), tuple(outcomes.values()))
