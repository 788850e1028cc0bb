"""The simple model: which version of a file may be served, by what the upstreams had and what was done to the cache."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.model.house import House
from tests.model.upstreams import GRACE, HOSTS, KEEP, LIFE, SIZES

ROUNDING = 1.0
"""Seconds: dates in fields are whole ones."""

FAILING = 40.0
"""Seconds that an attempt takes to fail, at most, with what was tried before it."""


@dataclass
class Expected:
    """What has to hold of each answer. Times by the wall clock."""

    house: House
    purged: dict[str, float] = field(default_factory=dict)  # nothing from before may be served
    expired: dict[str, float] = field(default_factory=dict)  # but where an upstream fails

    def purge(self, paths: tuple[str, ...], began: float, *, soft: bool, running: dict[str, float]) -> None:
        """Nothing that was replaced before `began` is right any more, or, softly, before a running download began."""
        for path in paths:
            if soft:
                self.expired[path] = min(began, running.get(path, began))
            else:
                self.purged[path] = self.expired[path] = began

    def well(self, since: float) -> bool:
        """Whether an upstream can be asked now, and answers since then, so that nothing needs to stand in for it."""
        ill = {name.partition("//")[2] for name, health in self.house.client.health().items() if health.state != "up"}
        ups = self.house.upstreams
        return any(host not in ill and ups.mood[host] == "up" and ups.well[host] < since - FAILING for host in HOSTS)

    def check(self, path: str, version: int, asked: float, *, well: bool) -> None:
        """AssertionError where nobody who asked at `asked` may get that version. `well`: no upstream failed then."""
        gone = self.house.upstreams.gone(path, version) + ROUNDING
        told = f"{path} version {version}, replaced {asked - gone:.1f} s before it was asked for"
        assert gone >= self.purged.get(path, 0.0), f"{told}: it was purged"
        if well:
            assert gone >= self.expired.get(path, 0.0), f"{told}: it was expired"
            assert asked - gone < LIFE + GRACE, f"{told}: too old"
        else:
            assert asked - gone < LIFE + KEEP, f"{told}: older than `keep` allows"


ALL = tuple(SIZES)
