"""The rules, one by one, and which of them wins."""

from __future__ import annotations

import pickle
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from mirror.policy.artifact import OPEN, Artifact
from mirror.policy.gatekeeper import Gatekeeper, gate, informed
from mirror.policy.rules import Policy
from tests.policy.builders import DAY, NOW, advised, advisory, age, exemption, gatekeeper, rule, said, six

MALICIOUS = advisory("six", ("introduced", "1.17.0"), ("fixed", "1.17.1"), name="MAL-2026-1")
EVERYTHING: dict[str, Any] = {
    "min_age": 7 * DAY,
    "private": (rule("six").packages[0],),
    "deny": (rule("six", reason="too old"),),
    "allow": (rule("attrs"),),
    "exempt": (exemption("six"),),
}


def test_an_earlier_rule_wins_whatever_else_is_set() -> None:
    """Each rule is taken away in its turn."""
    fixed = advisory("six", ("introduced", "0"), ("fixed", "1.17.0"), modified="2026-09-21T00:00:00Z")
    policy, known = dict(EVERYTHING), [MALICIOUS, fixed]
    fresh, found = six(days=1), []
    for taken in ("", "malicious", "private", "deny", "allow", "exempt", "fix", "date", "min_age"):
        if taken in policy:
            policy.pop(taken)
        known = {"malicious": [fixed], "fix": []}.get(taken, known)
        fresh = {"fix": six(days=None), "date": six(days=1)}.get(taken, fresh)
        found.append(said(gatekeeper("pypi", *known, **policy, advised=True).verdict(fresh, NOW)))
    assert found == [
        (False, "malicious"),
        (False, "private"),
        (False, "deny"),
        (False, "allow"),
        (True, "exempt"),
        (True, "fix"),
        (False, "unknown"),
        (False, "cooldown"),
        (True, "none"),
    ]


def test_a_private_name_is_no_public_package() -> None:
    gate = gatekeeper(private=rule("acme-*", "@acme/*").packages)
    verdict = gate.verdict(Artifact("pypi", "Acme_Login", "9.9"), NOW)
    assert said(verdict) == (False, "private")
    assert verdict.reason == "Acme_Login is a name of this house: a public package does not get it (policy 'private')"
    assert gate.private("acme.login")
    assert not gate.private("six")
    assert gate.verdict(six(), NOW).allowed


@pytest.mark.parametrize(
    ("denied", "artifact", "refused"),
    [
        (rule("six", versions="<1.17", ecosystem="pypi"), six("1.16"), True),
        (rule("six", versions="<1.17", ecosystem="pypi"), six("1.17"), False),
        (rule("six", versions=("<1.0", "==1.17.*"), ecosystem="pypi"), six("1.17.3"), True),
        (rule("six", versions="<1.17", ecosystem="pypi"), six("1.16rc1"), True),
        (rule("pkg:pypi/six@1.17"), six("1.17.0"), True),
        (rule("pkg:pypi/six@1.17"), six("1.17.1"), False),
        (rule("pkg:pypi/six@1.17", "pkg:pypi/si*"), six("1.17.1"), True),
        (rule("pkg:pypi/six@2004d"), six("2004d"), True),
        (rule(files=("*.exe", "*.msi")), six(file="six-1.17.0.win32.EXE"), True),
        (rule(files="*.exe"), six(file="six-1.17.0.tar.gz"), False),
        (rule(files="*"), six(), False),
        (rule(licenses="GPL-*"), six(license="MIT OR gpl-3.0-only"), True),
        (rule(licenses="GPL-*"), six(license="LGPL-3.0-only"), False),
        (rule(licenses="*"), six(), True),
        (rule("six", files="*.exe"), Artifact("pypi", "attrs", file="attrs.exe"), False),
        (rule("pkg:npm/six"), six(), False),
        (rule("six", ecosystem="npm"), six(), False),
    ],
)
def test_a_deny_means_what_all_of_it_fits(denied: Any, artifact: Artifact, refused: bool) -> None:
    verdict = gatekeeper(deny=(denied,)).verdict(artifact, NOW)
    assert verdict.refused is refused
    assert verdict.until == inf


def test_a_deny_says_why() -> None:
    verdict = gatekeeper(deny=(rule("six", reason="use the standard library"),)).verdict(six(), NOW)
    assert verdict.reason == "six 1.17.0 is denied: use the standard library (policy 'deny')"


@pytest.mark.parametrize("version", ["2004d", "", "1" * 300])
def test_a_version_that_cannot_be_read_is_in_no_range_but_in_what_denies_all(version: str) -> None:
    every = rule("six", versions=(">=0", "<9999"), ecosystem="pypi")
    assert not gatekeeper(deny=(every,)).verdict(six(version), NOW).refused
    assert gatekeeper(deny=(rule("six"),)).verdict(six(version), NOW).refused
    assert gatekeeper(allow=(every,)).verdict(six(version), NOW).refused
    assert not gatekeeper(allow=(rule("six"),)).verdict(six(version), NOW).refused


@pytest.mark.parametrize(
    ("allowed", "artifact", "through"),
    [
        (rule("six"), six(), True),
        (rule("attrs"), six(), False),
        (rule("six", versions="<1.17", ecosystem="pypi"), six(), False),
        (rule("six", versions=">=1.0", ecosystem="pypi"), six("1.17rc1"), False),
        (rule(licenses=("MIT", "BSD-*")), six(license="MIT"), True),
        (rule(licenses=("MIT", "BSD-*")), six(license="MIT OR BSD-3-Clause"), True),
        (rule(licenses="MIT"), six(license="MIT AND GPL-3.0-only"), False),
        (rule(licenses="MIT"), six(), False),
        (rule("pkg:npm/attrs"), six(), True),  # npm's list does not close pypi
    ],
)
def test_where_there_is_a_list_of_what_is_allowed_all_else_is_not(
    allowed: Any, artifact: Artifact, through: bool
) -> None:
    verdict = gatekeeper(allow=(allowed,), deny=(rule("nothing"),)).verdict(artifact, NOW)
    assert said(verdict) == ((True, "none") if through else (False, "allow"))


def test_an_exemption_ends() -> None:
    """PROTOCOLS G.7."""
    gate = gatekeeper(min_age=7 * DAY, exempt=(exemption("six", until=NOW + DAY),))
    verdict = gate.verdict(six(days=1), NOW)
    assert (said(verdict), verdict.until) == ((True, "exempt"), NOW + DAY)
    assert verdict.reason == "six 1.17.0 is exempt until 2026-09-22 14:14 UTC: we need it (platform team)"
    assert said(gate.verdict(six(days=1), NOW + DAY - 0.001)) == (True, "exempt")
    assert said(gate.verdict(six(days=1), NOW + DAY)) == (False, "cooldown")


def test_of_several_exemptions_the_last_to_end_counts() -> None:
    several = (exemption("six", until=NOW + DAY), exemption("s*", until=NOW + 2 * DAY), exemption("six", until=NOW - 1))
    assert gatekeeper(min_age=7 * DAY, exempt=several).verdict(six(days=1), NOW).until == NOW + 2 * DAY


@pytest.mark.parametrize(
    ("written", "through", "held"),
    [("six", "six", "six-x"), ("@acme/*", "@acme/x", "@other/x"), ("acme-*", "acme-x", "acme"), ("*", "six", None)],
)
def test_an_exemption_is_of_a_package_a_scope_or_a_prefix(written: str, through: str, held: str | None) -> None:
    """PROTOCOLS G.7."""
    gate = gatekeeper("npm", min_age=7 * DAY, exempt=(exemption(written),))
    assert said(gate.verdict(Artifact("npm", through, "1.0.0", published=NOW), NOW)) == (True, "exempt")
    if held is not None:
        assert said(gate.verdict(Artifact("npm", held, "1.0.0", published=NOW), NOW)) == (False, "cooldown")


def test_an_exemption_of_a_version_is_of_no_other() -> None:
    """PROTOCOLS G.7."""
    gate = gatekeeper(min_age=7 * DAY, exempt=(exemption("six", versions="1.17.0", ecosystem="pypi"),))
    assert gate.verdict(six("1.17.0", days=1), NOW).allowed
    assert not gate.verdict(six("1.17.1", days=1), NOW).allowed


@pytest.mark.parametrize("name", ["private", "deny", "allow"])
def test_an_exemption_lifts_nothing_but_the_minimum_age(name: str) -> None:
    policy = {name: EVERYTHING[name], "exempt": (exemption("pkg:pypi/six@1.17.0"),)}
    assert said(gatekeeper(**policy).verdict(six(), NOW)) == (False, name)


@pytest.mark.parametrize(
    ("exempt", "through"),
    [
        (exemption("pkg:pypi/six@1.17.0"), True),
        (exemption("six", versions="==1.17.0", ecosystem="pypi"), True),
        (exemption("six", versions="1.17", ecosystem="pypi"), True),
        (exemption("six"), False),
        (exemption("*"), False),
        (exemption("s*", versions="1.17.0", ecosystem="pypi"), False),
        (exemption("six", versions=">=1.17.0", ecosystem="pypi"), False),
        (exemption("six", versions="==1.17.*", ecosystem="pypi"), False),
        (exemption("pkg:pypi/six@1.16.0"), False),
        (exemption("pkg:pypi/six@1.17.0", files="*.whl"), False),
        (exemption("pkg:pypi/six@1.17.0", until=NOW), False),
    ],
)
def test_what_is_malicious_gets_through_where_an_exemption_names_it(exempt: Any, through: bool) -> None:
    verdict = gatekeeper("pypi", MALICIOUS, exempt=(exempt,)).verdict(six(), NOW)
    assert said(verdict) == ((True, "exempt") if through else (False, "malicious"))


def test_a_malicious_version_that_is_denied_too_may_have_another_verdict_when_its_exemption_ends() -> None:
    policy = {"deny": (rule("six"),), "exempt": (exemption("pkg:pypi/six@1.17.0", until=NOW + DAY),)}
    gate = gatekeeper("pypi", MALICIOUS, **policy)
    verdict = gate.verdict(six(), NOW)
    assert (verdict.rule, verdict.until) == ("deny", NOW + DAY)
    assert gate.verdict(six(), NOW + DAY).rule == "malicious"


def test_an_audit_refuses_nothing_and_says_the_same() -> None:
    enforced, audited = (gatekeeper(min_age=7 * DAY, mode=mode) for mode in ("enforce", "audit"))
    fresh = audited.verdict(six(days=1), NOW)
    assert not fresh.refused
    assert not fresh.allowed
    assert replace(fresh, enforced=True) == enforced.verdict(six(days=1), NOW)


def test_a_policy_that_decides_nothing_is_an_open_gate() -> None:
    assert gate(Policy("pypi")) is OPEN
    assert gate(Policy("pypi", exempt=(exemption("six"),))) is OPEN
    assert gate(Policy("pypi", mode="off", **EVERYTHING)) is OPEN
    assert gate(Policy("pypi", ages=(age("six", 0),))) is OPEN
    assert not OPEN
    assert OPEN.verdict(six(), NOW).allowed
    for decides in ({"min_age": 1.0}, {"ages": (age("six", 1),)}, {"advised": True}, {"deny": (rule("six"),)}):
        assert gate(Policy("pypi", **decides)), decides


def test_the_fingerprint_changes_with_all_that_may_change_a_verdict() -> None:
    policy = Policy("pypi", **EVERYTHING)
    gates = [Gatekeeper(policy), Gatekeeper(policy, advised(MALICIOUS)), Gatekeeper(replace(policy, mode="audit"))]
    gates += [Gatekeeper(replace(policy, **{name: empty})) for name, empty in (("min_age", 0.0), ("deny", ()))]
    gates.append(Gatekeeper(replace(policy, exempt=(exemption("six", until=NOW),))))
    assert len({each.fingerprint for each in gates}) == len(gates)
    assert Gatekeeper(Policy("pypi", **EVERYTHING)).fingerprint == gates[0].fingerprint
    # An advisory about another ecosystem's packages changes nothing here.
    other = advised(advisory("six", ("introduced", "0"), ecosystem="npm"))
    assert gates[0].knowing(other).fingerprint == gates[0].fingerprint


@pytest.mark.parametrize("ecosystem", ["pypi", "npm", "apt"])
def test_a_gate_can_be_handed_to_another_process(ecosystem: str) -> None:
    version = {"pypi": "<1.17", "npm": "<1.17.0-rc.1", "apt": "<< 1.17"}[ecosystem]
    gate = gatekeeper(ecosystem, MALICIOUS, deny=(rule("six", versions=version, ecosystem=ecosystem),))
    artifact = Artifact(ecosystem, "six", "1.16.0")
    assert gate.verdict(artifact, NOW).refused
    arrived = pickle.loads(pickle.dumps(gate))  # noqa: S301 - our own
    assert arrived == gate
    assert arrived.verdict(artifact, NOW) == gate.verdict(artifact, NOW)


def test_a_gate_learns_of_advisories_that_were_read_later() -> None:
    before = gate(Policy("pypi", advised=True))
    after = informed(before, advised(MALICIOUS))
    assert (before.verdict(six(), NOW).rule, after.verdict(six(), NOW).rule) == ("none", "malicious")
    assert before.fingerprint != after.fingerprint
    assert informed(OPEN, advised(MALICIOUS)) is OPEN


def test_names_that_are_asked_for_take_no_memory_without_end() -> None:
    gate = gatekeeper(min_age=DAY)
    for number in range(3000):
        gate.verdict(Artifact("pypi", f"p{number}"), NOW)
    assert len(gate._packages) <= 1024


def test_a_name_in_a_reason_stays_on_its_line() -> None:
    verdict = gatekeeper(deny=(rule("*"),)).verdict(Artifact("pypi", "six\n\x1b[31m", "1" * 500), NOW)
    assert verdict.reason.isprintable()
    assert len(verdict.reason) < 300
