"""A verdict is cheap: what depends on the package alone is worked out once."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mirror.policy.artifact import Artifact
from tests.policy.builders import DAY, NOW, advisory, exemption, gatekeeper, rule

VERSIONS = 50_000


@pytest.mark.parametrize("ecosystem", ["pypi", "npm"])
@pytest.mark.parametrize("days", [0.0, 365.0])
def test_fifty_thousand_versions_of_a_package_are_judged_in_no_time(ecosystem: str, days: float) -> None:
    """Seconds of CPU, with room for a machine that has other things to do. Without rules for versions it is a tenth."""
    policy: dict[str, Any] = {
        "min_age": 7 * DAY,
        "deny": (rule("six", versions="<1.0.0", ecosystem=ecosystem), *(rule(f"p{each}*") for each in range(300))),
        "exempt": (exemption("six", versions="0.0.1", ecosystem=ecosystem),),
    }
    name = {"pypi": "PyPI", "npm": "npm"}[ecosystem]
    known = [advisory("six", versions=[f"2.{each}.1" for each in range(2000)], name="MAL-1", ecosystem=name)]
    gate = gatekeeper(ecosystem, *known, **policy)
    published = NOW - days * DAY
    artifacts = [Artifact(ecosystem, "six", f"1.{number}.0", published=published) for number in range(VERSIONS)]
    began = time.process_time()
    rules = {gate.verdict(artifact, NOW).rule for artifact in artifacts}
    assert time.process_time() - began < 5
    assert rules == ({"none"} if days else {"cooldown"})
