"""Names in the order in which they were last used, at a cost that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

BATCH = 512
"""Names that are taken out together, to be the next."""


class Recency:
    """Names and the bytes that each stands for; `size` is their sum. What was `found` is older than all that was used
    since."""

    def __init__(self) -> None:
        self.size = 0
        # In parts, oldest first. A dict walks over each name that was removed at its front: hence `_next`.
        self._next: dict[str, int] = {}
        self._found: dict[str, int] = {}
        self._arranged: dict[str, int] = {}
        self._used: dict[str, int] = {}

    def _parts(self) -> tuple[dict[str, int], ...]:
        return self._used, self._arranged, self._found, self._next

    @property
    def has_found(self) -> bool:
        """Something stands that was found and not used since."""
        return bool(self._next or self._found or self._arranged)

    def add(self, name: str, size: int) -> None:
        """It is the one that was used last."""
        self.remove(name)
        self._used[name] = size
        self.size += size

    def find(self, name: str, size: int) -> None:
        """It was used before this was asked anything, and after those that were found before."""
        if self.of(name) is None:
            self._found[name] = size
            self.size += size

    def remove(self, name: str) -> int:
        """Its bytes; 0 when it does not stand."""
        for part in self._parts():
            if name in part:
                size = part.pop(name)
                self.size -= size
                return size
        return 0

    def touch(self, name: str) -> None:
        if self.of(name) is not None:
            self.add(name, self.remove(name))

    def of(self, name: str) -> int | None:
        """The bytes of a name, None when it does not stand."""
        return next((part[name] for part in self._parts() if name in part), None)

    def used_since(self, name: str) -> bool:
        return name in self._used

    def arrange(self, names: Iterable[str]) -> None:
        """Of what was found, these are newer than the rest, in this order, and than what was arranged before."""
        for name in names:
            if (size := self._found.pop(name, None)) is not None:
                self._arranged[name] = size
        if not self._found:  # and a table as large as ever it was
            self._found, self._arranged = self._arranged, {}

    def oldest(self) -> str | None:
        if not self._next:
            part = self._found or self._arranged or self._used
            self._next = {name: part.pop(name) for name in list(islice(part, BATCH))}
        return next(iter(self._next), None)

    def names(self) -> list[str]:
        """All, the oldest first."""
        return [*self._next, *self._found, *self._arranged, *self._used]
