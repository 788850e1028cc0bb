"""A policy at work: the rules in their order, of which an earlier one wins whatever the later ones would say.

1 malicious   an advisory says so             refused; an exemption that names this very version lifts it
2 private     a name of this house            refused, unless there is an upstream for it
3 deny        a rule of [[policy.deny]]       refused
  private     such an upstream has it         gets through
4 allow       on no rule of [[policy.allow]]  refused, where there is one
5 exempt      a rule of [[policy.exempt]]     gets through
6 fix         an advisory names it the fix    gets through
7 unknown     no date                         refused, or not: as configured
8 cooldown    younger than its minimum age    refused
  none                                        gets through
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from math import inf

from mirror.policy import reasons, steps
from mirror.policy.advisories import Advisories, Advisory
from mirror.policy.artifact import OPEN, Artifact, Gate, Open, Verdict
from mirror.policy.names import canonical
from mirror.policy.rules import Policy, Rule
from mirror.policy.terms import Terms, exempted, terms
from mirror.policy.versions import SCHEMES

_KNOWN = 1024  # packages whose rules are kept; names come from whoever asks
_PASSED = Verdict(True, "none")


@dataclass(frozen=True, slots=True)
class _Package:
    """What there is to ask about one package's artifacts; `versioned`: their versions count in it."""

    steps: tuple[steps.Step, ...]
    versioned: bool


class Gatekeeper:
    """The gate of one mirror. Equal to another one that decides by the same rules and advisories."""

    def __init__(self, policy: Policy, advisories: Advisories | None = None) -> None:
        self.policy = policy
        self._advisories = advisories  # None: not read yet
        self.advisories = advisories or Advisories()
        self.waits = policy.advised and policy.mode == "enforce" and advisories is None
        told = json.dumps([asdict(policy), self.advisories.digest(policy.ecosystem), self.waits], sort_keys=True)
        self.fingerprint = hashlib.sha256(told.encode()).hexdigest()[:32]
        self._enforced = policy.mode == "enforce"
        ecosystem = policy.ecosystem
        self._houses = tuple(each.test(ecosystem) for each in policy.private if each.of(ecosystem))
        self._packages: dict[str, _Package] = {}

    @property
    def holds_unknown(self) -> bool:
        return self.policy.unknown == "hold"

    @property
    def seen_counts(self) -> bool:
        return self.policy.dates == "first-seen"

    def knowing(self, advisories: Advisories) -> Gatekeeper:
        """The same policy with these advisories."""
        return Gatekeeper(self.policy, advisories)

    def verdict(self, artifact: Artifact, now: float) -> Verdict:
        """What the rules say at `now`, seconds since the epoch."""
        package = self._packages.get(artifact.package) or self._of(artifact.package)
        key = SCHEMES[self.policy.ecosystem].key(artifact.version) if package.versioned and artifact.version else None
        until, found = inf, _PASSED
        for step in package.steps:
            said = step(artifact, key, now)
            if isinstance(said, Verdict):
                found = said
                break
            until = min(until, said)
        if found.until <= until and self._enforced:
            return found
        return replace(found, until=min(found.until, until), enforced=self._enforced)

    def __bool__(self) -> bool:
        return True

    def private(self, package: str) -> bool:
        """Whether a package has a name of this house, of which no upstream may hear that is not the house's own."""
        return (self._enforced or self.policy.housed) and self._private(package)

    def _private(self, package: str) -> bool:
        if not self._houses:  # which is asked for each request
            return False
        name = canonical(self.policy.ecosystem, package)
        return any(test(name) for test in self._houses)

    def _of(self, package: str) -> _Package:
        if len(self._packages) >= _KNOWN:
            self._packages.clear()
        found = self._packages[package] = self._compiled(canonical(self.policy.ecosystem, package))
        return found

    def _compiled(self, name: str) -> _Package:
        policy, ecosystem = self.policy, self.policy.ecosystem
        if policy.mode == "off":
            return _Package((), versioned=False)
        private = self._private(name)
        known = self.advisories.of(ecosystem, name)
        malicious = tuple(each for each in known if each.malicious)
        denied, allowed = self._terms(policy.deny, name), self._terms(policy.allow, name)
        found = (exempted(each, ecosystem, name) for each in policy.exempt)
        exempt = tuple(each for each in found if each is not None)
        order: list[tuple[bool, steps.Step]] = [
            (bool(malicious), steps.Malicious(malicious, exempt)),
            (private and not policy.housed, steps.private),
            (bool(denied), steps.Denied(denied)),
            (private and policy.housed, steps.housed),
            (any(each.of(ecosystem) for each in policy.allow), steps.Allowed(allowed)),
            (bool(exempt), steps.Exempt(exempt)),
            (self._least(name) > 0, self._cooldown(name, known)),
        ]
        versioned = bool(known) or any(each.versioned for each in (*denied, *allowed, *exempt))
        return _Package(tuple(step for counts, step in order if counts), versioned)

    def _terms(self, rules: tuple[Rule, ...], name: str) -> tuple[Terms, ...]:
        found = (terms(rule, self.policy.ecosystem, name) for rule in rules)
        return tuple(each for each in found if each is not None)

    def _cooldown(self, name: str, known: tuple[Advisory, ...]) -> steps.Cooldown:
        fixes = tuple((key, advisory) for advisory in known for key in advisory.fixes())
        least, dates = self._least(name), (self.holds_unknown, self.seen_counts)
        return steps.Cooldown(least, reasons.lasting(least), *dates, known, fixes)

    def _least(self, name: str) -> float:
        """The minimum age: the mirror's own before the others, a name before a glob, the longer glob before others."""
        ecosystem = self.policy.ecosystem
        meant = [
            ((each.own, each.packages.exact, len(each.packages.pattern), each.seconds), each.seconds)
            for each in self.policy.ages
            if each.packages.of(ecosystem) and each.packages.test(ecosystem)(name)
        ]
        return max(meant)[1] if meant else self.policy.min_age

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Gatekeeper) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"Gatekeeper({self.policy.ecosystem}, {self.policy.mode}, {self.fingerprint})"

    def __reduce__(self) -> tuple[type[Gatekeeper], tuple[Policy, Advisories | None]]:
        # What is compiled is made again where it arrives: some of it cannot be sent.
        return Gatekeeper, (self.policy, self._advisories)


def gate(policy: Policy, advisories: Advisories | None = None) -> Gate:
    """The gate of a policy; OPEN, or one like it, where it has nothing to decide."""
    if not policy.open:
        return Gatekeeper(policy, advisories)
    hold, seen = policy.unknown == "hold", policy.dates == "first-seen"
    return (
        OPEN if (hold, seen) == (OPEN.holds_unknown, OPEN.seen_counts) else Open(holds_unknown=hold, seen_counts=seen)
    )


def informed(known: Gate, advisories: Advisories) -> Gate:
    """The same gate with these advisories; one that is open stays so."""
    return known.knowing(advisories) if isinstance(known, Gatekeeper) else known
