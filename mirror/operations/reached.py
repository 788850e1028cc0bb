"""The upstreams, and how each does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from mirror.breaker import Health
from mirror.model import Mirror
from mirror.operations.shown import server
from mirror.ports import Clock

LISTED = 1000
"""Upstreams that are told at most: those of the configuration, then those that mirrors of any host have met."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """One server (`scheme://host:port`), whose `mirrors` it is, () where an index page led there. See Health."""

    name: str
    mirrors: tuple[str, ...]
    state: Literal["up", "busy", "down"]
    since: float
    error: str
    error_at: float | None
    resting: float


class Reached:
    """Knows the upstreams of the configuration, and of others those that were asked lately."""

    def __init__(self, mirrors: tuple[Mirror, ...], health: Callable[[], Mapping[str, Health]], wall: Clock) -> None:
        self._health = health
        self._began = wall()
        self.become(mirrors)

    def become(self, mirrors: tuple[Mirror, ...]) -> None:
        """From now on there are these mirrors."""
        self._any = [mirror for mirror in mirrors if mirror.ecosystem == "any"]
        self._named: dict[str, list[str]] = {}
        for mirror in mirrors:
            for name in dict.fromkeys(map(server, mirror.upstreams)):
                self._named.setdefault(name, []).append(mirror.name)

    def upstreams(self) -> list[Upstream]:
        """All that are known."""
        health = self._health()
        names = dict.fromkeys([*self._named, *(name for name in health if name)])
        return [self._one(name, health.get(name)) for name in [*names][:LISTED]]

    def of(self, urls: Iterable[str]) -> list[Upstream]:
        """The upstreams of those URLs."""
        health = self._health()
        return [self._one(name, health.get(name)) for name in dict.fromkeys(map(server, urls)) if name]

    def _one(self, name: str, health: Health | None) -> Upstream:
        mirrors = tuple(self._named.get(name) or self._admitting(name))
        if health is None:  # it was not asked yet, or had nothing that would have to be remembered
            return Upstream(name, mirrors, "up", self._began, "", None, 0.0)
        told = (health.state, health.since, health.error, health.error_at, health.resting)
        return Upstream(name, mirrors, *told)

    def _admitting(self, name: str) -> list[str]:
        parts = urlsplit(name)
        host = parts.hostname or ""
        return [mirror.name for mirror in self._any if mirror.reach.admits(parts.scheme, host, parts.port)]
