"""Exchanges for caches to be compared by: what a client asks, and what the origin answers if it is asked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar, cast

Fields = tuple[tuple[str, str], ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One request, and what the origin answers if it is asked, in words of the vocabulary: dates are not filled in.

    `version` names the answer's bytes, and is part of its tag.
    """

    method: str
    asked: Fields
    status: int
    fields: Fields
    version: int = 0

    def lines(self, name: str) -> list[str]:
        """The lines of the answer's field."""
        return [value for key, value in self.fields if key.lower() == name]

    def sends(self, name: str) -> str | None:
        """The request's field, lines joined; None where it is absent."""
        return _joined(self.asked, name)

    def says(self, name: str) -> str | None:
        """The answer's field, lines joined; None where it is absent."""
        return _joined(self.fields, name)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Two or three requests for one path that nobody asked for before."""

    number: int
    family: str
    steps: tuple[Step, ...]

    @property
    def path(self) -> str:
        return f"/x/{self.number}"

    @property
    def behind(self) -> bool:
        """Whether a cache may ask the origin behind its client."""
        graces = any("max-stale" in (step.sends("cache-control") or "") for step in self.steps)
        return graces or self.family == "graces"

    def told(self) -> str:
        """As a person reads it."""
        lines = [f"{self.path} ({self.family})"]
        for step in self.steps:
            lines.append(f"  > {step.method} {dict(step.asked)}")
            lines.append(f"  < {step.status} v{step.version} {list(step.fields)}")
        return "\n".join(lines)


def _joined(fields: Fields, name: str) -> str | None:
    values = [value for key, value in fields if key.lower() == name]
    return ", ".join(values) if values else None


class Drawing:
    """Draws words and makes fields of them: the same ones from the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._turns: dict[Sequence[object], list[object]] = {}

    def any(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def each(self, options: Sequence[T]) -> T:
        """All of them in turn, in an order that is drawn, so that none is left out."""
        turns = self._turns.setdefault(options, [])
        if not turns:
            turns += self._random.sample(options, len(options))
        return cast("T", turns.pop())

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability


def answer(*fields: tuple[str, str], date: str = "0{}", etag: bool = True, version: int = 0) -> Fields:
    """An answer's fields, with a Date and a strong tag unless they are not wanted; none that has no value."""
    given = [("Date", date), ("ETag", f'"v{version}"' if etag else ""), *fields]
    return tuple((name, value) for name, value in given if value)


def lines(name: str, text: str) -> Fields:
    """A field on as many lines as the word has (`|` between them)."""
    return tuple((name, line) for line in text.split("|") if line)


def gets(fields: Fields, status: int = 200, steps: int = 2) -> tuple[Step, ...]:
    """GETs that say nothing, and all get the same answer."""
    return tuple(Step("GET", (), status, fields) for _ in range(steps))
