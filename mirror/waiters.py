"""Readers that wait for a byte which is not there yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

END = 1 << 62
"""An offset that no body reaches: who waits for it waits for a general waking."""


class Waiters:
    """Futures by the offset that they wait for, with how far their reader wants to get (None: to the end)."""

    def __init__(self) -> None:
        self._futures: dict[int, list[asyncio.Future[None]]] = {}
        self._ends: dict[int, int | None] = {}

    async def wait(self, at: int, end: int | None) -> None:
        """Until byte `at` arrived, or all are woken."""
        future = asyncio.get_running_loop().create_future()
        futures = self._futures.setdefault(at, [])
        farther = end is None or (futures and self._ends[at] is None)
        self._ends[at] = None if farther else max(end or 0, self._ends.get(at) or 0)
        futures.append(future)
        try:
            await future
        finally:
            if future in futures:
                futures.remove(future)
            if not futures and self._futures.get(at) is futures:
                del self._futures[at], self._ends[at]

    def wake(self, start: int, end: int) -> None:
        """Bytes `[start, end)` arrived."""
        for at in [at for at in self._futures if start <= at < end]:
            futures = self._futures.pop(at)
            del self._ends[at]
            for future in futures:
                if not future.done():
                    future.set_result(None)

    def wake_all(self) -> None:
        """Something happened that each of them has to look at."""
        self.wake(0, END + 1)

    def __iter__(self) -> Iterator[tuple[int, int | None]]:
        """Which bytes are waited for, and how far their readers want to get."""
        return iter(list(self._ends.items()))
