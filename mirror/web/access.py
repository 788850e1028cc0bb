"""The access log: a line for each request, when it has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from mirror.logs import Lines
from mirror.outcome import Outcome
from mirror.web.replies import Sent

log = logging.getLogger("mirror.access")

DELAY = 0.05
"""Seconds for which the lines of prepared replies are gathered."""


def line(scope: Mapping[str, Any], sent: Sent, spent: float, outcome: Outcome) -> str:
    """What is said of a request that took `spent` seconds."""
    client = (scope.get("client") or ("-",))[0]
    whole = "" if sent.complete else " incomplete"
    return text(
        client, f'"{scope["method"]} {address(scope)}" {sent.status} ', sent.count, spent, f"{whole} [{outcome}]"
    )


def address(scope: Mapping[str, Any]) -> str:
    """What was asked for, printable."""
    query = scope["query_string"].decode("latin-1")
    return printable(scope["raw_path"].decode("latin-1") + (f"?{query}" if query else ""))


def printable(text: str) -> str:
    """Text of a client's as it may stand in a log or an error: no control characters, not endless."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:500])


def text(client: str, asked: str, count: int, spent: float, behind: str) -> str:
    """A line; `asked` and `behind` are what stands before and behind bytes and seconds."""
    return f"{client} {asked}{count} bytes {1000 * spent:.1f} ms{behind}"


class Gathered:
    """Lines that are written together a moment later: a prepared reply costs less than its line alone would."""

    def __init__(self) -> None:
        self._events: list[tuple[float, str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, now: float, line: str) -> None:
        """A line of `now` (wall clock)."""
        self._events.append((now, line))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self.write)

    def write(self) -> None:
        """Write what there is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        events, self._events = self._events, []
        handlers = _handlers() if log.isEnabledFor(logging.INFO) else []
        for handler in handlers:
            if isinstance(handler, Lines):
                handler.many("INFO", log.name, events)
        if any(not isinstance(handler, Lines) for handler in handlers):
            for _, message in events:
                record = log.makeRecord(log.name, logging.INFO, __file__, 0, message, (), None)
                for handler in handlers:
                    if not isinstance(handler, Lines):
                        handler.handle(record)


def _handlers() -> list[logging.Handler]:
    """Those that a record of the access log reaches."""
    found: list[logging.Handler] = []
    logger: logging.Logger | None = log
    while logger is not None:
        found += logger.handlers
        logger = logger.parent if logger.propagate else None
    return found
