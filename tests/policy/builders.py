"""Artifacts, policies and advisories in few words."""

from __future__ import annotations

import json
from typing import Any

from mirror.policy.advisories import Advisories, read
from mirror.policy.artifact import Artifact, Verdict
from mirror.policy.gatekeeper import Gatekeeper
from mirror.policy.names import selector
from mirror.policy.rules import Age, Exemption, Policy, Rule

NOW = 1_790_000_000.0
DAY = 86400.0


def six(version: str = "1.17.0", days: float | None = 30.0, **more: Any) -> Artifact:
    """A version of a Python package that was published so many days ago."""
    return Artifact("pypi", "six", version, published=None if days is None else NOW - days * DAY, **more)


def rule(*packages: str, ecosystem: str = "", reason: str = "", **lists: Any) -> Rule:
    """A deny or an allow."""
    several = {name: (value,) if isinstance(value, str) else tuple(value) for name, value in lists.items()}
    meant = tuple(selector(each, ecosystem) for each in packages or ("*",))
    return Rule(meant, ecosystem=ecosystem, reason=reason, **several)


def exemption(*packages: str, until: float = NOW + DAY, ecosystem: str = "", **lists: Any) -> Exemption:
    """An exemption by somebody."""
    return Exemption(rule(*packages, ecosystem=ecosystem, reason="we need it", **lists), "platform team", until)


def age(packages: str, days: float, *, own: bool = False) -> Age:
    return Age(selector(packages), days * DAY, own)


def gatekeeper(ecosystem: str = "pypi", *advisories: dict[str, Any], **policy: Any) -> Gatekeeper:
    return Gatekeeper(Policy(ecosystem, **policy), advised(*advisories))


def advised(*advisories: dict[str, Any]) -> Advisories:
    return read(json.dumps(each).encode() for each in advisories)


def advisory(
    package: str,
    *events: tuple[str, str],
    name: str = "GHSA-1",
    ecosystem: str = "PyPI",
    kind: str = "ECOSYSTEM",
    **more: Any,
) -> dict[str, Any]:
    """An advisory with one range, and what `more` says of the whole or, `versions`, of the package."""
    affected: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": package}}
    if events:
        affected["ranges"] = [{"type": kind, "events": [{kind: version} for kind, version in events]}]
    if "versions" in more:
        affected["versions"] = more.pop("versions")
    return {"id": name, "modified": "2026-09-21T00:00:00Z", "affected": [affected]} | more


def said(verdict: Verdict) -> tuple[bool, str]:
    """Whether it gets through, and by which rule."""
    return verdict.allowed, verdict.rule
