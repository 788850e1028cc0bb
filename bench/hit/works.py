"""What the caches are asked to do, and how much of nginx's CPU it may cost the mirror."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from bench.hit.cache import Cache
from bench.hit.origin import PACKAGE

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
NAIVE = 5.0
"""So many times cheaper than the naive peer a miss has to be, where both did it."""

_FRESH = "cc=max-age=86400"
_SECONDS = 2.0


@dataclass(frozen=True)
class Work:
    """One kind of request, for an object of `size` bytes; each for another one where `kind` is "miss".

    `count` of them, one at a time, or as many as wrk makes of `seconds` over so many `connections`. `goal`: at most so
    many times nginx's CPU. `beside`: who does it, besides the caches.
    """

    name: str
    size: int
    kind: str = "hit"
    count: int = 0
    connections: int = 1
    goal: float | None = None
    beside: tuple[str, ...] = ()
    seconds: float = _SECONDS

    def scaled(self, scale: float) -> Work:
        """The same work, less of it."""
        return replace(self, count=self.count and max(1, int(self.count * scale)), seconds=max(1, self.seconds * scale))

    def by(self, cache: Cache) -> bool:
        """This cache is asked to do it."""
        return cache.name not in ("naive", "floor") or cache.name in self.beside

    def seed(self, turn: int) -> str:
        """Hits are of the same object in all rounds."""
        return re.sub(r"\W", "", self.name) + (f"-{turn}" if self.kind == "miss" else "")

    def target(self, cache: Cache, seed: str) -> str:
        """What that cache is asked for."""
        if self.kind == "packument":
            return f"{cache.packages}/{PACKAGE}"
        return f"{cache.objects}/obj/{seed}/{self.size}?{_FRESH}"


BOTH = ("naive", "floor")
WORKS = [
    Work("hit 1 KiB, 1 connection", KIB, goal=0.5, beside=("floor",)),
    Work("hit 1 KiB, 64 connections", KIB, connections=64, goal=0.5, beside=BOTH),
    Work("hit 1 KiB, 1,000 connections", KIB, connections=1000, goal=0.5, beside=("floor",), seconds=4),
    Work("hit 20 KiB, 64 connections", 20 * KIB, connections=64, goal=0.5, beside=BOTH),
    Work("304, 64 connections", 20 * KIB, "304", connections=64, goal=0.5, beside=("floor",)),
    Work("packument of 1 MB, 64 connections", 0, "packument", connections=64),
    Work("hit 1 MiB", MIB, count=1_000, goal=0.7),
    Work("hit 1 MiB, 64 connections", MIB, connections=64, goal=0.7),
    Work("hit 16 MiB", 16 * MIB, count=100, goal=1.0),
    Work("hit 1 GiB", GIB, count=2, goal=1.0),
    Work("miss 1 KiB", KIB, "miss", count=1_000, goal=4.0, beside=("naive",)),
    Work("miss 1 KiB, 16 connections", KIB, "miss", connections=16, goal=4.0, beside=("naive",)),
    Work("miss 20 KiB", 20 * KIB, "miss", count=1_000, goal=4.0, beside=("naive",)),
    Work("miss 1 MiB", MIB, "miss", count=200, goal=1.0, beside=("naive",)),
    Work("miss 16 MiB", 16 * MIB, "miss", count=20, goal=1.0, beside=("naive",)),
    Work("miss 1 GiB", GIB, "miss", count=1, goal=1.0),
]
