"""A reason why another cache differs from the mirror, and what such reasons are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..differences import Difference

NGINX, SQUID = ("nginx",), ("squid",)
BOTH = (*NGINX, *SQUID)


@dataclass(frozen=True, slots=True)
class Reason:
    """What `peers` do, by which clause, and who is right by it: the mirror, or both, where it leaves the choice."""

    name: str
    peers: tuple[str, ...]
    clause: str
    right: str
    applies: Callable[[Difference], bool]

    def covers(self, difference: Difference) -> bool:
        return difference.peer in self.peers and self.applies(difference)


def cc(d: Difference, *texts: str) -> bool:
    """Whether the stored answer has one of these Cache-Controls, its lines joined by commas."""
    return (d.first.says("cache-control") or "") in texts


def says(d: Difference, name: str, *texts: str) -> bool:
    """Whether the stored answer has this field with one of these values; "" where it is absent."""
    return (d.first.says(name) or "") in texts
