"""The access log: a line for each request, when it has ended."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from mirror.audit.handed import Handed
from mirror.logs import Lines
from mirror.masking import masked

log = logging.getLogger("mirror.access")

DELAY = 0.05
"""Seconds for which the lines of prepared replies are gathered."""

_ID = re.compile(r"[!#-\[\]-~]{1,128}")
"""What a client may call its request: printable, and nothing that would end a field of a line."""


class Ids:
    """Names requests: the client's own (X-Request-Id) where it has one, else this process' prefix and a number."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(3)
        self._numbers = count(1)

    def new(self) -> str:
        """A name that no other request has."""
        return f"{self._prefix}-{next(self._numbers)}"

    def of(self, scope: Mapping[str, Any]) -> str:
        """The name of that request."""
        return given(scope) or self.new()


def given(scope: Mapping[str, Any]) -> str:
    """What the client calls this request; "" where it does not, or it cannot be told."""
    told = _field(scope, b"x-request-id")
    return told if _ID.fullmatch(told) else ""


def _field(scope: Mapping[str, Any], wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a request before it is answered, printable and without secrets. `id` "": it has none yet."""

    method: str
    address: str
    agent: str
    id: str

    @classmethod
    def of(cls, scope: Mapping[str, Any], name: str) -> Asked:
        """The same, of a request by that name."""
        agent = printable(_field(scope, b"user-agent")[:200]).replace('"', "'")
        return cls(scope["method"], address(scope), agent, name)


@dataclass(slots=True)
class Line:
    """What is said of a request that has ended. `spent` and `first` (until the first byte) in seconds; `outcome` as
    Cache-Status has it, `word` as X-Cache; `key`: under which it was looked for, "" where that is its address."""

    asked: Asked
    client: str
    status: int
    count: int
    spent: float
    first: float
    outcome: str
    word: str
    mirror: str = ""
    key: str = ""
    whole: bool = True
    handed: Handed | None = None
    _text: str = field(default="", init=False)
    _members: str = field(default="", init=False)
    _record: str | None = field(default=None, init=False)

    @property
    def text(self) -> str:
        """The line, up to the request's id, which ends it. Made once: a prepared reply has the same many times."""
        if not self._text:
            asked = self.asked
            whole, key = "" if self.whole else " incomplete", f" key {self.key}" if self.key else ""
            self._text = (
                f'{self.client} "{asked.method} {asked.address}" {self.status} {self.count} bytes'
                f" {1000 * self.spent:.1f} ms{whole} [{self.outcome}]{key} first {1000 * self.first:.1f} ms"
                f' "{asked.agent or "-"}" '
            )
        return self._text

    @property
    def members(self) -> str:
        """The same as members of a JSON object, up to the id, which ends with a quotation mark."""
        if not self._members:
            told: dict[str, object] = {
                "client": self.client,
                "method": self.asked.method,
                "address": self.asked.address,
                "status": self.status,
                "bytes": self.count,
                "ms": round(1000 * self.spent, 3),
                "first_ms": round(1000 * self.first, 3),
                "outcome": self.outcome,
                "cache": self.word,
                "mirror": self.mirror,
                "key": self.key,
                "agent": self.asked.agent,
                "whole": self.whole,
                "id": "",
            }
            if not self.key:
                del told["key"]
            self._members = json.dumps(told, ensure_ascii=False, separators=(",", ":"))[1:-2]
        return self._members

    @property
    def record(self) -> str:
        """What the record of artifacts says of it, as members of an object; "" where it is about none."""
        if self._record is None:
            known = (self.client, self.status, self.count, self.word)
            self._record = self.handed.members(*known, whole=self.whole) if self.handed is not None else ""
        return self._record


def address(scope: Mapping[str, Any]) -> str:
    """What was asked for, printable, without secrets."""
    query = scope["query_string"].decode("latin-1")
    return printable(masked(scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")))


def printable(text: str) -> str:
    """Text of a client's as it may stand in a log or an error: no control characters, not endless."""
    if (beginning := text[:500]).isprintable():
        return beginning
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in beginning)


class Gathered:
    """Lines that are written together a moment later: a prepared reply costs less than its line alone would. `record`
    takes what is said of artifacts, where that is recorded."""

    def __init__(self, ids: Ids | None = None) -> None:
        self.ids = ids or Ids()
        self.record: Callable[[list[tuple[float, str]]], None] | None = None
        self._events: list[tuple[float, Line]] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, now: float, line: Line) -> None:
        """A line of `now` (wall clock)."""
        self._events.append((now, line))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self.write)

    def write(self) -> None:
        """Write what there is. Who has no id gets one now: until then nobody needed it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        events, self._events = self._events, []
        if self.record is not None:
            self.record([(at, text) for at, line in events if (text := line.record)])
        handlers = _handlers() if events and log.isEnabledFor(logging.INFO) else []
        if not handlers:
            return
        named = [(at, line, line.asked.id or self.ids.new()) for at, line in events]
        for handler in handlers:
            if not isinstance(handler, Lines):
                for _, line, name in named:
                    message = f"{line.text}{name}"
                    handler.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, message, (), None))
            elif handler.json:
                handler.many("INFO", log.name, [(at, f'{line.members}{name}"') for at, line, name in named])
            else:
                handler.many("INFO", log.name, [(at, f"{line.text}{name}") for at, line, name in named])


def _handlers() -> list[logging.Handler]:
    """Those that a record of the access log reaches."""
    found: list[logging.Handler] = []
    logger: logging.Logger | None = log
    while logger is not None:
        found += logger.handlers
        logger = logger.parent if logger.propagate else None
    return found
