"""The order of eviction as simply as it can be said: two lists."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST = 0.8


@dataclass
class Plainly:
    """Names and bytes; those that were used `once` go first, then those that were used `again`, oldest use first."""

    once: dict[str, int] = field(default_factory=dict)
    again: dict[str, int] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, int]:
        return self.once | self.again

    def add(self, name: str, size: int) -> None:
        self.remove(name)
        self.once[name] = size

    def remove(self, name: str) -> int:
        return self.once.pop(name, 0) + self.again.pop(name, 0)

    def touch(self, name: str) -> None:
        if name in self.all:
            self.again[name] = self.remove(name)

    def oldest(self) -> str | None:
        while sum(self.again.values()) > MOST * sum(self.all.values()):
            name = next(iter(self.again))
            self.once[name] = self.again.pop(name)
        return next(iter(self.all), None)
