"""Names in the order in which they go, at a cost that does not grow with their number: those that were used once go
before those that were used again, so that a scan over many things that nobody wants twice takes none of the others."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

BATCH = 512
"""Names that are taken out together, to be the next."""

AGAIN_MOST = 0.8
"""The part of all bytes that what was used again may have: the rest is for what is new to show that it is wanted."""


MOVES = 64
"""Names that lose their place at most each time that somebody asks who is to go: nobody waits long for it."""


class Line:
    """Names and their bytes, the first to go first; `size` is the sum. Each was used `since` the start, or `before`."""

    __slots__ = ("_before", "_next", "_next_since", "_since", "size")

    def __init__(self) -> None:
        self.size = 0
        # A dict walks over each name that was removed at its front: hence `_next`.
        self._next: dict[str, int] = {}
        self._next_since = False  # what is in `_next` was used since the start
        self._before: dict[str, int] = {}
        self._since: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._next) + len(self._before) + len(self._since)

    def add(self, name: str, size: int, *, since: bool) -> None:
        """The last of those that were used since the start; or else the last of those before."""
        (self._since if since else self._before)[name] = size
        self.size += size

    def of(self, name: str) -> int | None:
        """The bytes of a name, None when it does not stand here."""
        return next((part[name] for part in (self._since, self._before, self._next) if name in part), None)

    def remove(self, name: str) -> int | None:
        """Its bytes; None when it does not stand here."""
        for part in (self._since, self._before, self._next):
            if (size := part.pop(name, None)) is not None:
                self.size -= size
                return size
        return None

    def used_since(self, name: str) -> bool:
        return name in self._since or (self._next_since and name in self._next)

    def first(self) -> str | None:
        if not self._next:
            part = self._before or self._since
            self._next_since = part is self._since
            self._next = {name: part.pop(name) for name in list(islice(part, BATCH))}
        return next(iter(self._next), None)

    def names(self) -> list[str]:
        """All, the first to go first."""
        return [*self._next, *self._before, *self._since]


class Recency:
    """Names and the bytes that each stands for; `size` is their sum. What was `found` is older than all that was used
    since.

    Two segments (SLRU: Karedla, Love and Wherry, 1994): a name stands in `_once` until it is used again, and goes into
    `_again` then. When somebody asks who is to go, and those there have more than `AGAIN_MOST` of all bytes, the ones
    of them that were used longest ago are the last of `_once` from then on, and have another chance there.
    """

    def __init__(self) -> None:
        self._found = Line()
        self._once = Line()
        self._again = Line()

    @property
    def size(self) -> int:
        return self._found.size + self._once.size + self._again.size

    @property
    def has_found(self) -> bool:
        """Something stands that was found, and neither used nor arranged since."""
        return bool(self._found)

    def add(self, name: str, size: int) -> None:
        """It is used now, for the first time."""
        self.remove(name)
        self._once.add(name, size, since=True)

    def find(self, name: str, size: int) -> None:
        """It was used before this was asked anything, and after those that were found before."""
        if self.of(name) is None:
            self._found.add(name, size, since=False)

    def remove(self, name: str) -> int:
        """Its bytes; 0 when it does not stand."""
        for line in (self._once, self._again, self._found):
            if (size := line.remove(name)) is not None:
                return size
        return 0

    def touch(self, name: str) -> None:
        """It is used again."""
        if (size := self._again.remove(name)) is not None:
            self._again.add(name, size, since=True)
        elif self.of(name) is not None:
            self._again.add(name, self.remove(name), since=True)

    def renew(self, name: str) -> None:
        """It was the last that was used, and that was no further use of it."""
        for line in (self._once, self._again, self._found):
            if (size := line.remove(name)) is not None:
                (self._once if line is self._found else line).add(name, size, since=True)

    def of(self, name: str) -> int | None:
        """The bytes of a name, None when it does not stand."""
        sizes = (line.of(name) for line in (self._once, self._again, self._found))
        return next((size for size in sizes if size is not None), None)

    def used_since(self, name: str) -> bool:
        return self._once.used_since(name) or self._again.used_since(name)

    def used_again(self, name: str) -> bool:
        """It stands among those that go last."""
        return self._again.of(name) is not None

    def arrange(self, names: Iterable[str], *, again: bool = False) -> None:
        """Of what was found, these are newer than the rest, in this order, and than what was arranged before. `again`:
        and they were used again."""
        for name in names:
            if (size := self._found.remove(name)) is not None:
                (self._again if again else self._once).add(name, size, since=False)
        if not self._found:  # and a table as large as ever it was
            self._found = Line()

    def oldest(self) -> str | None:
        """The next to go."""
        for _ in range(MOVES):
            if self._again.size <= AGAIN_MOST * self.size or (name := self._again.first()) is None:
                break
            since = self._again.used_since(name)
            self._once.add(name, self._again.remove(name) or 0, since=since)
        lines = (self._found, self._once, self._again)
        return next((name for line in lines if (name := line.first()) is not None), None)

    def names(self) -> list[str]:
        """All, the first to go first."""
        return [*self._found.names(), *self._once.names(), *self._again.names()]
