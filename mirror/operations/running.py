"""The downloads that run now, as an operator sees them: how much is there, how fast it comes, who reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

from mirror import variants
from mirror.fill import Fill
from mirror.fills import Fills
from mirror.operations.shown import shown

LISTED = 1000
"""Downloads that are told at most, the oldest first."""

APART = 1.0
"""Seconds that two looks at a download must be apart for a rate to be made of them."""

State = Literal["opening", "running", "storing"]


@dataclass(frozen=True, slots=True)
class Running:
    """One download. `there` of `total` bytes (None: not announced) are here; `rate` in bytes per second, since the look
    before; `readers` wait for it or read it, `segments` connections fetch it; `age` in seconds; `stored`: it will be.
    `state`: opening (the origin has not answered), running, storing (all is here)."""

    key: str
    mirror: str
    url: str
    there: int
    total: int | None
    rate: float
    readers: int
    segments: int
    age: float
    stored: bool
    state: State


@dataclass(slots=True)
class _Look:
    """When it was looked at, what was there, and what rate that gave."""

    at: float
    there: int
    rate: float | None = None


class Looks:
    """Looks at downloads. `clock` is the event loop's, by which they began."""

    def __init__(self, fills: Fills, clock: Callable[[], float]) -> None:
        self._fills = fills
        self._clock = clock
        self._looks: WeakKeyDictionary[Fill, _Look] = WeakKeyDictionary()

    def fills(self) -> list[Running]:
        """All, the oldest first; LISTED at most."""
        running = sorted(self._fills.running(), key=lambda fill: fill.started)
        return [self.look(fill) for fill in running[:LISTED]]

    def look(self, fill: Fill) -> Running:
        """One of them."""
        body, now = fill.body, self._clock()
        there = body.received.size if body else 0
        url = body.first.url if body else next(iter(fill.asked.plan.urls), "")
        return Running(
            key=fill.key,
            mirror=fill.asked.mirror.name,
            url=shown(url, variants.address(fill.key)),
            there=there,
            total=body.total if body else None,
            rate=self._rate(fill, there, now),
            readers=fill.followers,
            segments=body.segments.running if body else 0,
            age=max(0.0, now - fill.started),
            stored=fill.published and fill.asked.plan.rule.store and not (body and body.detached),
            state=_state(fill),
        )

    def _rate(self, fill: Fill, there: int, now: float) -> float:
        if there <= fill.kept:
            return 0.0
        last = self._looks.get(fill) or _Look(fill.started, fill.kept)
        if now - last.at >= APART:
            rate = max(0, there - last.there) / (now - last.at)
            self._looks[fill] = _Look(now, there, rate)
            return rate
        if last.rate is not None:
            return last.rate
        return (there - fill.kept) / max(0.001, now - fill.started)


def _state(fill: Fill) -> State:
    if fill.placing or (fill.body is not None and fill.body.complete):
        return "storing"
    return "opening" if fill.body is None else "running"
