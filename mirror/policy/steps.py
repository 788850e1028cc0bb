"""The rules, one after the other: each is asked about an artifact and has a verdict, or leaves it to the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from mirror.policy import reasons
from mirror.policy.advisories import Advisory
from mirror.policy.artifact import Artifact, Verdict
from mirror.policy.terms import Terms
from mirror.policy.versions import Key

Step = Callable[[Artifact, Key | None, float], Verdict | float]
"""(artifact, its version's key, now) -> the verdict; or nothing to say, and until when that is so."""

AHEAD = 600.0
"""Seconds that a clock may be behind the one which wrote a date; a date further ahead is none (PROTOCOLS G.6)."""
LATER = 86400.0
"""Seconds after an advisory's last change in which the release that it announces may appear."""


@dataclass(frozen=True, slots=True)
class Malicious:
    """What advisories call malicious. Only an exemption that names the very version lifts it."""

    advisories: tuple[Advisory, ...]
    exemptions: tuple[Terms, ...]

    def __call__(self, artifact: Artifact, key: Key | None, now: float) -> Verdict | float:
        found = next((each for each in self.advisories if each.affects(artifact.version, key)), None)
        if found is None:
            return inf
        ends = [each.until for each in self.exemptions if now < each.until and _lifts(each, artifact, key)]
        return max(ends) if ends else Verdict(False, "malicious", reasons.malicious(artifact, found.id))


def _lifts(exemption: Terms, artifact: Artifact, key: Key | None) -> bool:
    return exemption.name(artifact, key) and exemption.hold(artifact, key, wide=False)


def private(artifact: Artifact, key: Key | None, now: float) -> Verdict | float:
    """Names that only packages of this house have."""
    return Verdict(False, "private", reasons.private(artifact))


def housed(artifact: Artifact, key: Key | None, now: float) -> Verdict | float:
    """Packages of this house, from an upstream that has nothing else."""
    return Verdict(True, "private")


@dataclass(frozen=True, slots=True)
class Denied:
    rules: tuple[Terms, ...]

    def __call__(self, artifact: Artifact, key: Key | None, now: float) -> Verdict | float:
        found = next((each for each in self.rules if each.hold(artifact, key, wide=True)), None)
        return inf if found is None else Verdict(False, "deny", reasons.denied(artifact, found.reason))


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where there is a list of what is allowed, all else is not."""

    rules: tuple[Terms, ...]

    def __call__(self, artifact: Artifact, key: Key | None, now: float) -> Verdict | float:
        if any(each.hold(artifact, key, wide=False) for each in self.rules):
            return inf
        return Verdict(False, "allow", reasons.not_allowed(artifact))


@dataclass(frozen=True, slots=True)
class Exempt:
    rules: tuple[Terms, ...]

    def __call__(self, artifact: Artifact, key: Key | None, now: float) -> Verdict | float:
        active = [each for each in self.rules if now < each.until and each.hold(artifact, key, wide=False)]
        if not active:
            return inf
        last = max(active, key=lambda each: each.until)
        text = reasons.exempt(artifact, last.reason, last.owner, last.until)
        return Verdict(True, "exempt", text, last.until)


_OLD = {source: Verdict(True, "none", dated=source) for source in ("origin", "first seen")}


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A minimum age, in seconds and as text, that only fixes of what advisories warn of need not have."""

    least: float
    shown: str
    hold_unknown: bool
    seen_counts: bool
    advisories: tuple[Advisory, ...]
    fixes: tuple[tuple[Key, Advisory], ...]

    def __call__(self, artifact: Artifact, key: Key | None, now: float) -> Verdict | float:
        at, source, changes = self._dated(artifact, now)
        # The sum, not the difference: it is what `until` says, and rounding must not tell them apart.
        if at is not None and now >= at + self.least:
            return _OLD[source]
        until = changes if at is None else at + self.least
        if (fixed := self._fixed(artifact, key, at)) is not None:
            return Verdict(True, "fix", reasons.fix(artifact, fixed.id), until, source)
        if at is None:
            return Verdict(not self.hold_unknown, "unknown", reasons.unknown(artifact, self.shown), until)
        return Verdict(False, "cooldown", reasons.young(artifact, now - at, self.shown, until), until, source)

    def _dated(self, artifact: Artifact, now: float) -> tuple[float | None, str, float]:
        """When it was published, where that is from, and when this may change."""
        published, seen = artifact.published, artifact.first_seen
        changes = inf
        if published is not None and (published <= 0 or not published - AHEAD <= now):
            changes = published - AHEAD if published > 0 else inf
            published = None
        if seen is not None and (seen <= 0 or not seen - AHEAD <= now):
            changes = min(changes, seen - AHEAD) if seen > 0 else changes
            seen = None
        if published is None:
            counts = seen is not None and self.seen_counts
            return (seen, "first seen", inf) if counts else (None, "", changes)
        return (seen, "first seen", inf) if seen is not None and seen < published else (published, "origin", inf)

    def _fixed(self, artifact: Artifact, key: Key | None, at: float | None) -> Advisory | None:
        """The advisory that names this version as the fix. What appeared long after the advisory was last changed is
        not what it means (a file that is added to an old release); nor is a version that something else affects."""
        for fixed, advisory in self.fixes:
            if key is not None and key == fixed and (at is None or at <= advisory.modified + LATER):
                affected = any(each.affects(artifact.version, key) for each in self.advisories)
                return None if affected else advisory
        return None
