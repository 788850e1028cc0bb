"""Frozen time: what a gate lets through, less all that was published after a day or an instant in the past."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from math import inf

from mirror.policy import reasons
from mirror.policy.artifact import Artifact, Gate, Verdict

_AGES = ("cooldown", "unknown")
"""Rules that speak of a date, which a cut-off speaks of more clearly: by its word nothing matures."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """A cut-off: what was published before `end` (seconds since the epoch) is there. `text` is how it is written."""

    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """The gate `known`, which lets nothing through that was published after `as_of`."""

    known: Gate
    as_of: AsOf
    fingerprint: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        told = f"frozen {self.as_of.text} {self.holds_unknown} {self.seen_counts} {self.known.fingerprint}"
        object.__setattr__(self, "fingerprint", hashlib.sha256(told.encode()).hexdigest()[:32])

    @property
    def waits(self) -> bool:
        return self.known.waits

    @property
    def holds_unknown(self) -> bool:
        return self.known.holds_unknown

    @property
    def seen_counts(self) -> bool:
        return self.known.seen_counts

    def private(self, package: str) -> bool:
        return self.known.private(package)

    def verdict(self, artifact: Artifact, now: float) -> Verdict:
        """What the gate says at `now`, where that does not refuse what the cut-off lets through.

        What was seen before the cut-off was there then, whoever says it was not, and whether or not that counts as a
        date elsewhere.
        """
        said = self.known.verdict(artifact, now)
        if said.refused and said.rule not in _AGES:
            return said
        published, seen = _instant(artifact.published), _instant(artifact.first_seen)
        if min(published, seen) < self.as_of.end:
            return said
        if published < inf or (seen < inf and self.seen_counts):
            source = "origin" if published <= seen else "first seen"
            text = reasons.after(artifact, min(published, seen), self.as_of.text, seen=source == "first seen")
            return Verdict(False, "frozen", text, dated=source)
        if said.refused or not self.holds_unknown:
            return said
        return Verdict(False, "unknown", reasons.undated(artifact, self.as_of.text))

    def __bool__(self) -> bool:
        return True


def _instant(at: float | None) -> float:
    """The date, inf where it is none."""
    return at if at is not None and at > 0 else inf
