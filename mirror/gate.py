"""The connections of one upstream: so many at once; those who wait for one are served client by client, in turn."""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from .errors import Unavailable

__all__ = ["Gate"]

_Waiter = asyncio.Future[None]


class Gate:
    """`max_connections` places; `max_waiting` requests may wait for one. `used` and `waiting` count both.

    Of four places and more, one client (an address) has no more than three quarters: another one finds a place while
    the first one fills them with slow downloads ("" is nobody in particular, and has no such bound). Who waits has a
    line for each client, and the lines take turns, so that one client's thousand requests cost another's first one no
    more than one turn. Where too many wait, the last of the longest line goes.
    """

    def __init__(self, max_connections: int, max_waiting: int) -> None:
        self._free = max_connections
        self._most = max_connections - max_connections // 4
        self._max_waiting = max_waiting
        self._lines: dict[str, deque[_Waiter]] = {}  # whose turn is next comes first
        self._held: Counter[str] = Counter()
        self.used = 0
        self.waiting = 0

    async def enter(self, client: str = "") -> None:
        """Take a place for that client, when it is its turn; Unavailable where too many wait already."""
        if not self._admits(client):
            await self._wait(client)
        else:
            self._take(client)

    def leave(self, client: str = "") -> None:
        """Give the place back; once for each enter()."""
        self._free += 1
        self.used -= 1
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._serve()

    def _admits(self, client: str) -> bool:
        return self._free > 0 and (not client or self._held[client] < self._most)

    def _take(self, client: str) -> None:
        self._free -= 1
        self.used += 1
        self._held[client] += 1

    async def _wait(self, client: str) -> None:
        if self.waiting >= self._max_waiting:
            self._send_away(client)
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self._lines.setdefault(client, deque()).append(waiter)
        self.waiting += 1
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.leave(client)  # the place was granted already
            else:
                self._forget(client, waiter)
            raise

    def _send_away(self, client: str) -> None:
        """Make room in the lines for one more of that client, or raise Unavailable: it is its own that is the last."""
        refused = Unavailable("too many requests wait for a connection to the upstream")
        longest = max(self._lines, key=lambda each: len(self._lines[each]), default=client)
        if len(self._lines.get(longest, ())) <= len(self._lines.get(client, ())) + 1:
            raise refused
        last = self._lines[longest][-1]
        self._forget(longest, last)
        last.set_exception(refused)

    def _forget(self, client: str, waiter: _Waiter) -> None:
        line = self._lines.get(client)
        if line is not None and waiter in line:
            line.remove(waiter)
            self.waiting -= 1
            if not line:
                del self._lines[client]

    def _serve(self) -> None:
        """Grant what is free to those whose turn it is."""
        while (whose := next((each for each in self._lines if self._admits(each)), None)) is not None:
            line = self._lines.pop(whose)
            waiter = line.popleft()
            if line:
                self._lines[whose] = line  # behind the others
            self.waiting -= 1
            if not waiter.done():
                self._take(whose)
                waiter.set_result(None)
