"""What a policy says, as it is configured: frozen, comparable, and cheap to hand to another process."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

from mirror.policy.names import Selector

Mode = Literal["enforce", "audit", "off"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Which artifacts a deny, an allow or an exemption means: all that is given has to fit, of each list one entry.

    `versions` are ranges as the packages' ecosystem writes them, `files` globs of file names, `licenses` globs of
    licenses as the document states them; empty: any. `ecosystem` "": any.
    """

    packages: tuple[Selector, ...] = (Selector("*"),)
    versions: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    ecosystem: str = ""
    reason: str = ""

    def of(self, ecosystem: str) -> bool:
        """Whether artifacts of that ecosystem may be meant."""
        return self.ecosystem in ("", ecosystem) and any(each.of(ecosystem) for each in self.packages)


@dataclass(frozen=True, slots=True)
class Exemption:
    """What the cooldown does not hold, by whose word, why, and until when (seconds since the epoch)."""

    rule: Rule
    owner: str
    until: float = inf


@dataclass(frozen=True, slots=True)
class Age:
    """The minimum age of some packages, in seconds. `own`: the mirror's own, which counts before everybody's."""

    packages: Selector
    seconds: float
    own: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """All that is configured for one mirror. `min_age` in seconds; `private` are packages without versions.

    `unknown` says what becomes of artifacts whose time of publication nobody knows; `dates` "first-seen": where the
    origin states none, it is when this mirror first saw the artifact. `advised`: advisories are expected.
    `housed`: there is an upstream for the private packages, which is asked for them alone.
    """

    ecosystem: str
    mode: Mode = "enforce"
    min_age: float = 0.0
    unknown: Literal["hold", "pass"] = "hold"
    dates: Literal["origin", "first-seen"] = "origin"
    private: tuple[Selector, ...] = ()
    ages: tuple[Age, ...] = ()
    deny: tuple[Rule, ...] = ()
    allow: tuple[Rule, ...] = ()
    exempt: tuple[Exemption, ...] = ()
    advised: bool = False
    housed: bool = False

    @property
    def open(self) -> bool:
        """Whether there is nothing to decide: whatever is asked for gets through."""
        waits = self.min_age > 0 or any(age.seconds > 0 for age in self.ages)
        rules = [*self.private, *self.deny, *self.allow]
        asked = self.mode != "off" or (self.housed and self.private)
        return not asked or not (waits or rules or self.advised)
