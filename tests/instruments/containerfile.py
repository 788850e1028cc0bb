"""A Containerfile, read: its stages with their instructions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: its word, its options (`--from=build`), and what it says: the words of a JSON list where it is
    one, else the line."""

    word: str
    options: tuple[str, ...]
    line: str

    @property
    def listed(self) -> list[str] | None:
        """The words, where the line is a JSON list."""
        return list(map(str, json.loads(self.line))) if self.line.startswith("[") else None


@dataclass(slots=True)
class Stage:
    """What follows a FROM."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def all(self, word: str) -> list[Step]:
        return [step for step in self.steps if step.word == word]

    def last(self, word: str) -> Step:
        return self.all(word)[-1]


def stages(path: Path) -> list[Stage]:
    """In their order; ValueError where a line is none of them."""
    found: list[Stage] = []
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        word, rest = line.split(None, 1)
        options = []
        while rest.startswith("--"):
            option, rest = rest.split(None, 1)
            options.append(option)
        if word == "FROM":
            base, *name = re.split(r"\s+AS\s+", rest)
            found.append(Stage(base, "".join(name)))
        elif not found:
            raise ValueError(f"before any FROM: {line}")
        else:
            found[-1].steps.append(Step(word, tuple(options), rest))
    return found
