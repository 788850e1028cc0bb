"""Whether the disk takes what is to be stored: each refusal is counted; that it refuses is told once, and its end."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable

from mirror.counters import Counters
from mirror.errors import NoRoom, StoreError

log = logging.getLogger("mirror.stores")

QUIET = 5.0
"""Seconds without a refusal after which something that is stored means that it is over: what is small may fit into a
disk that is full, and would begin and end it again and again."""

_REASONS = {
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.EROFS: "read_only",
    errno.EIO: "io_error",
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
}


class Alarm:
    """See the module. That something is larger than the limits allow is counted, and no reason for an alarm."""

    def __init__(self, counters: Counters | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._counters = counters or Counters(())
        self._clock = clock
        self._began = self._last = 0.0
        self._refused = 0  # bodies, since it began

    @property
    def on(self) -> bool:
        """The disk refuses now."""
        return self._refused > 0

    def refused(self, mirror: str, exc: StoreError) -> None:
        """A body of that mirror is not stored, or what is stored of it cannot be read."""
        reason = reason_of(exc)
        if reason is None:
            return
        self._counters.of(mirror).unstored(reason)
        if not exc.errno:
            return
        self._last = self._clock()
        if not self._refused:
            self._began = self._last
            why = os.strerror(exc.errno)
            log.warning("the cache cannot be used: %s; clients get all they ask for, and it is not stored", why)
            log.debug("%s", exc)
        self._refused += 1

    def stored(self) -> None:
        """A body was stored."""
        if not self._refused or (now := self._clock()) - self._last < QUIET:
            return
        count, self._refused = self._refused, 0
        log.warning("the cache can be used again: %d bodies were not stored in %.0f s", count, now - self._began)


def reason_of(exc: StoreError) -> str | None:
    """One of `measures.REFUSALS`; None where nobody refused."""
    if exc.errno:
        return _REASONS.get(exc.errno, "other")
    return "no_room" if isinstance(exc, NoRoom) else None
