"""What holds for every policy, artifact and instant."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mirror.policy.artifact import Artifact, Verdict
from mirror.policy.gatekeeper import Gatekeeper
from mirror.policy.rules import Policy
from tests.policy.builders import DAY, NOW, advised, advisory, age, exemption, rule

RULES = ["malicious", "private", "deny", "allow", "exempt", "fix", "unknown", "cooldown", "none"]
VERSIONS = ["1.0.0", "1.1.0", "1.2.0", "1.2.0-rc.1", "not a version", ""]
PACKAGES = ["six", "attrs", "acme-x"]
KNOWN = [
    advisory("six", ("introduced", "1.1.0"), ("fixed", "1.2.0"), name="MAL-1", ecosystem="npm"),
    advisory("attrs", ("introduced", "0"), ("fixed", "1.1.0"), name="GHSA-1", ecosystem="npm"),
    advisory("acme-x", ("introduced", "0"), name="MAL-2", ecosystem="npm"),
]

instants = st.one_of(
    st.floats(NOW - 30 * DAY, NOW + 30 * DAY), st.sampled_from([NOW, NOW - 600, NOW + 600, NOW + DAY, NOW - 0.1])
)
dates = st.one_of(st.none(), instants)
packages = st.sampled_from([*PACKAGES, "s*", "*", "pkg:npm/six@1.1.0", "pkg:npm/acme-x@1.0.0"])
lists = st.fixed_dictionaries(
    {},
    optional={
        "versions": st.lists(st.sampled_from(["<1.2.0", "1.1.0", "^1.0.0", ">=1.2.0-rc.1"]), min_size=1, max_size=2),
        "files": st.sampled_from(["*.tgz", "six*"]),
        "licenses": st.sampled_from(["MIT", "GPL-*"]),
    },
)
rules = st.builds(lambda name, more: rule(name, ecosystem="npm", **more), packages, lists)
exemptions = st.builds(
    lambda name, until, more: exemption(name, until=until, ecosystem="npm", **more), packages, instants, lists
)
ages = st.builds(lambda name, days: age(name, days), st.sampled_from([*PACKAGES, "s*", "*"]), st.floats(0, 20))
several = st.lists(rules, max_size=2).map(tuple)
policies = st.builds(
    Policy,
    st.just("npm"),
    mode=st.sampled_from(["enforce", "audit"]),
    min_age=st.sampled_from([0.0, 0.1, DAY, 7 * DAY]),
    unknown=st.sampled_from(["hold", "pass"]),
    dates=st.sampled_from(["origin", "first-seen"]),
    private=st.sampled_from([(), rule("acme-*").packages]),
    ages=st.lists(ages, max_size=2).map(tuple),
    deny=several,
    allow=several,
    exempt=st.lists(exemptions, max_size=3).map(tuple),
)
gates = st.builds(lambda policy, known: Gatekeeper(policy, advised(*known)), policies, st.lists(st.sampled_from(KNOWN)))
artifacts = st.builds(
    Artifact,
    st.just("npm"),
    st.sampled_from(PACKAGES),
    st.sampled_from(VERSIONS),
    file=st.sampled_from(["", "six-1.0.0.tgz"]),
    published=dates,
    first_seen=dates,
    license=st.sampled_from(["", "MIT", "MIT OR GPL-3.0-only"]),
)


def settled(verdict: Verdict) -> tuple[Any, ...]:
    """All of a verdict but its sentence, which tells of the age."""
    return verdict.allowed, verdict.rule, verdict.dated, verdict.enforced, verdict.until


@given(gates, artifacts, instants, st.data())
def test_a_verdict_does_not_change_before_it_says(
    gate: Gatekeeper, artifact: Artifact, now: float, data: st.DataObject
) -> None:
    verdict = gate.verdict(artifact, now)
    assert verdict.until > now
    end = min(verdict.until, NOW + 400 * DAY)
    later = data.draw(st.floats(now, end, exclude_max=verdict.until < inf))
    assert settled(gate.verdict(artifact, later)) == settled(verdict)


@given(gates, artifacts, instants)
def test_an_audit_says_what_would_be_enforced(gate: Gatekeeper, artifact: Artifact, now: float) -> None:
    enforced, audited = (
        Gatekeeper(replace(gate.policy, mode=mode), gate.advisories).verdict(artifact, now)  # type: ignore[arg-type]
        for mode in ("enforce", "audit")
    )
    assert audited == replace(enforced, enforced=False)
    assert enforced.enforced
    assert not audited.refused


@given(gates, artifacts, instants)
def test_a_verdict_has_a_rule_and_a_refusal_says_why(gate: Gatekeeper, artifact: Artifact, now: float) -> None:
    verdict = gate.verdict(artifact, now)
    assert verdict.rule in RULES
    assert verdict.allowed is (verdict.rule in ("exempt", "fix", "none")) or verdict.rule == "unknown"
    assert bool(verdict.reason) is (verdict.rule != "none")


@given(gates, artifacts, instants, rules)
def test_one_more_deny_never_lets_more_through(gate: Gatekeeper, artifact: Artifact, now: float, denied: Any) -> None:
    stricter = Gatekeeper(replace(gate.policy, deny=(*gate.policy.deny, denied)), gate.advisories)
    before, after = gate.verdict(artifact, now), stricter.verdict(artifact, now)
    assert after.allowed <= before.allowed
    if before.rule in ("malicious", "private"):
        assert settled(after) == settled(before)


@given(gates, artifacts, instants, exemptions)
def test_one_more_exemption_never_holds_more_back(gate: Gatekeeper, artifact: Artifact, now: float, more: Any) -> None:
    weaker = Gatekeeper(replace(gate.policy, exempt=(*gate.policy.exempt, more)), gate.advisories)
    assert weaker.verdict(artifact, now).allowed >= gate.verdict(artifact, now).allowed


@given(gates, artifacts, instants, st.floats(0, 30 * DAY))
def test_what_the_cooldown_lets_through_stays_through(
    gate: Gatekeeper, artifact: Artifact, now: float, seconds: float
) -> None:
    verdict = gate.verdict(artifact, now)
    if verdict.rule == "none":
        assert gate.verdict(artifact, now + seconds).rule == "none"
