"""Whether an upstream that could not be reached is worth another attempt: a dead one must not cost every request."""

from __future__ import annotations

import logging
from collections.abc import Callable

log = logging.getLogger("mirror.origin")

__all__ = ["Breaker"]

FAILURES = 5  # attempts in a row, of whatever requests
FIRST_REST, LONGEST_REST = 2.0, 60.0  # seconds


class Breaker:
    """Rests after five failures in a row: then one request is admitted for each rest, which grows to a minute.

    A failure is a connection that was not made, or a head that did not come; what an upstream answers is no failure.
    `clock` is monotonic, in seconds.
    """

    def __init__(self, upstream: str, clock: Callable[[], float]) -> None:
        self._upstream = upstream
        self._clock = clock
        self._failures = 0
        self._rest = 0.0
        self._until = 0.0

    @property
    def resting(self) -> float:
        """Seconds until the next request is admitted, 0 where it is admitted now."""
        return max(0.0, self._until - self._clock()) if self._rest else 0.0

    @property
    def idle(self) -> bool:
        """True where there is nothing to remember."""
        return not self._failures

    def admits(self) -> bool:
        """Whether a request may try; while it rests, the one that may puts the next off for another rest."""
        if self.resting:
            return False
        self._until = self._clock() + self._rest
        return True

    def failed(self) -> None:
        self._failures += 1
        if self._failures < FAILURES:
            return
        if not self._rest:
            log.warning("%s cannot be reached: it is asked less often from now on", self._upstream)
        self._rest = min(LONGEST_REST, self._rest * 2 or FIRST_REST)
        self._until = self._clock() + self._rest

    def answered(self) -> None:
        if self._rest:
            log.warning("%s can be reached again", self._upstream)
        self._failures, self._rest = 0, 0.0
