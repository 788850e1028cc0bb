"""The connections of one upstream: so many at once, the others wait in the order in which they came."""

from __future__ import annotations

import asyncio

from .errors import Unavailable

__all__ = ["Gate"]


class Gate:
    """`max_connections` places; `max_waiting` requests may wait for one. `used` and `waiting` count both."""

    def __init__(self, max_connections: int, max_waiting: int) -> None:
        self._places = asyncio.Semaphore(max_connections)
        self._max_waiting = max_waiting
        self.used = 0
        self.waiting = 0

    async def enter(self) -> None:
        """Take a place, when it is our turn; Unavailable where too many wait already."""
        if self._places.locked() and self.waiting >= self._max_waiting:
            raise Unavailable("too many requests wait for a connection to the upstream")
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1
        self.used += 1

    def leave(self) -> None:
        """Give the place back; once for each enter()."""
        self.used -= 1
        self._places.release()
