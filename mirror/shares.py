"""The shares of the cache that some mirrors have: what is stored of each, in the order of use."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Mapping

from mirror.recency import Recency

PATIENCE = 1.0
"""Seconds for which, once after a start, somebody waits for what is not known yet of a share."""

LATEST = 1000
"""What was stored last, and may not be in the index yet, is remembered with its mirror: so many names."""


def mirror_of(key: str) -> str:
    """The name of the mirror that a key belongs to."""
    return key.split("/", 2)[1] if key.startswith("/") else ""


class Share:
    """One mirror's: at most `limit` bytes on disk. Not before it is `known` all that is stored of the mirror stands in
    `recency`."""

    __slots__ = ("_known", "_since", "_until", "limit", "recency")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.recency = Recency()
        self._known = asyncio.Event()
        self._until = 0.0
        self._since: dict[str, None] | None = None  # added or used, in this order, while others are being found

    @property
    def known(self) -> bool:
        return self._known.is_set()

    async def settled(self) -> None:
        """Until it is known, or the first who waited for that has done so for `PATIENCE`."""
        if not self.known:
            self._until = self._until or asyncio.get_running_loop().time() + PATIENCE
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._until):
                    await self._known.wait()

    def begin(self) -> list[str]:
        """What is stored is being found from now on, and in its order what was added until now, which this returns."""
        names, self.recency, self._since = self.recency.names(), Recency(), {}
        return names

    def found(self, some: Iterable[tuple[str, int, bool]]) -> None:
        """Names and bytes on disk of this mirror, the next to go first, and whether they were used again."""
        for name, size, again in some:
            self.recency.find(name, size)
            self.recency.arrange([name], again=again)

    def end(self) -> None:
        """All of it was found."""
        # 1. A is used. 2. The list of all names is made. 3. B is used. 4. B is found in its place of before.
        for name in self._since or ():
            self.recency.renew(name)
        self._since = None
        self._known.set()

    def add(self, name: str, size: int) -> None:
        self.recency.add(name, size)
        self._used(name)

    def touch(self, name: str) -> None:
        self.recency.touch(name)
        self._used(name)

    def _used(self, name: str) -> None:
        if self._since is not None:
            self._since.pop(name, None)
            self._since[name] = None


class Shares:
    """All of them, by the names of their mirrors; told of everything that is stored, whatever its mirror."""

    def __init__(self) -> None:
        self.all: dict[str, Share] = {}
        self._latest: deque[tuple[str, str]] = deque(maxlen=LATEST)

    def become(self, sizes: Mapping[str, int]) -> None:
        """The mirrors that have a share from now on, and its bytes; what is stored of a new one is not known."""
        self.all = {mirror: self.all.get(mirror) or Share(size) for mirror, size in sizes.items()}
        for mirror, size in sizes.items():
            self.all[mirror].limit = size

    def unknown(self) -> dict[str, Share]:
        return {mirror: share for mirror, share in self.all.items() if not share.known}

    def latest(self, mirror: str) -> list[str]:
        """Names of that mirror that were stored last; some may be gone."""
        return [name for name, whose in self._latest if whose == mirror]

    def add(self, name: str, size: int, mirror: str) -> None:
        self._latest.append((name, mirror))
        if (share := self.all.get(mirror)) is not None:
            share.add(name, size)

    def touch(self, name: str) -> None:
        for share in self.all.values():
            share.touch(name)

    def remove(self, name: str) -> None:
        for share in self.all.values():
            share.recency.remove(name)
