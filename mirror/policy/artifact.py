"""The nouns of the policy: what somebody may be given, and what the rules say of it. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Protocol

__all__ = ["OPEN", "Artifact", "Gate", "Open", "Verdict"]


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file (pypi), one version (npm) or one package's file (apt) that somebody may be given.

    `package` is the canonical name: PEP 503's, npm's with its scope, Debian's. `version` is as the index writes it, ""
    where that is unknown; `file` is the file's name. `published` is what the origin's document says, `first_seen` when
    this mirror first saw the artifact named; both in seconds since the epoch, None where nobody knows. `license` is as
    the document states it.
    """

    ecosystem: str
    package: str
    version: str = ""
    file: str = ""
    published: float | None = None
    first_seen: float | None = None
    license: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of an artifact.

    `allowed` is before the mode counts, `refused` after. `rule` decided: malicious, private, deny, allow, exempt, fix,
    unknown, cooldown, frozen (see `mirror.policy.frozen`), or none. `reason` is a sentence for the client's screen.
    `until` is the instant (seconds since the epoch) from which on the verdict may be another one, inf where none is
    known. `dated` says where the publish time is from: origin, first seen, or "" where there is none. `enforced` False:
    the mode is audit or off.
    """

    allowed: bool
    rule: str
    reason: str = ""
    until: float = inf
    dated: str = ""
    enforced: bool = True

    @property
    def refused(self) -> bool:
        """Whether clients do not get it."""
        return not self.allowed and self.enforced


class Gate(Protocol):
    """What decides for one mirror. Falsy where there is nothing to decide: all get through."""

    @property
    def fingerprint(self) -> str:
        """Changes with every change of the policy or the advisories: part of a rewritten document's variant."""
        ...

    @property
    def waits(self) -> bool:
        """Whether nothing gets through yet, because what is to be known of malicious versions is still being read."""
        ...

    @property
    def holds_unknown(self) -> bool:
        """Whether what a date decides is refused where nobody knows the date."""
        ...

    @property
    def seen_counts(self) -> bool:
        """Whether it is a date when this mirror first saw an artifact, where the origin states none."""
        ...

    def verdict(self, artifact: Artifact, now: float) -> Verdict:
        """What the rules say at `now`, seconds since the epoch."""
        ...

    def private(self, package: str) -> bool:
        """Whether a package has a name of this house, of which no upstream may hear."""
        ...

    def __bool__(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Open:
    """The gate that lets all through."""

    fingerprint: str = ""
    waits: bool = False
    holds_unknown: bool = True
    seen_counts: bool = False

    def verdict(self, artifact: Artifact, now: float) -> Verdict:
        return Verdict(True, "none")

    def private(self, package: str) -> bool:
        return False

    def __bool__(self) -> bool:
        return False


OPEN = Open()
