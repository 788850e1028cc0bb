"""Views for tests: what they hide, how often they were asked, and of what."""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import inf

from mirror.policy.artifact import Artifact, Verdict

NOW = 1_700_000_000.0
DAY = 86400.0


class Hiding:
    """A view that refuses what `gone` says; each verdict may change at `until(artifact)`."""

    def __init__(self, gone: Callable[[Artifact], bool], until: Callable[[Artifact], float] = lambda _: inf) -> None:
        self.gone = gone
        self.until = until
        self.asked: list[Artifact] = []

    def __call__(self, artifact: Artifact) -> Verdict:
        self.asked.append(artifact)
        gone = self.gone(artifact)
        reason = f"{artifact.package} {artifact.version} is hidden" if gone else ""
        return Verdict(not gone, "deny" if gone else "none", reason, self.until(artifact))


def versions(names: Collection[str]) -> Hiding:
    """Hides these versions."""
    return Hiding(lambda artifact: artifact.version in names)


def files(names: Collection[str]) -> Hiding:
    """Hides these files."""
    return Hiding(lambda artifact: artifact.file in names)


def cooldown(days: float) -> Hiding:
    """Hides what is younger, or of no age, until it is not any more."""

    def since(artifact: Artifact) -> float:
        known = artifact.published if artifact.published is not None else artifact.first_seen
        return inf if known is None else known + days * DAY

    return Hiding(
        lambda artifact: since(artifact) > NOW, lambda artifact: since(artifact) if since(artifact) > NOW else inf
    )


def everything() -> Hiding:
    """Lets all pass."""
    return Hiding(lambda _: False)
