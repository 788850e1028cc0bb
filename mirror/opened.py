"""What a fill is for, and how it begins: with what is stored, with a body that is here or on its way, or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from mirror.model import Entry, Head, Mirror, Plan, Request
from mirror.outside import Found
from mirror.ports import Answer, Note, Partial

__all__ = ["FAULTS", "Apart", "Asked", "Opened", "Streaming", "Whole"]

FAULTS = frozenset({500, 501, *range(505, 600)})
"""Statuses of an origin that say no more than that it failed, and not for how long: a client is told 502."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fill is for. `others`: stored variants that the origin may choose one of; `given`: its answer, if there
    is one already; `again`: as in Hop."""

    mirror: Mirror
    plan: Plan
    request: Request
    wanted: tuple[int, int | None] | None = None
    renew: bool = False
    others: tuple[Entry, ...] = ()
    given: Answer | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Streaming:
    """The origin sends a body. `begin` is where its bytes start, `partial` where they go (None: nowhere).

    `private`: this answer is for the one who asked first and for nobody else.
    """

    head: Head
    answer: Answer
    total: int | None
    begin: int = 0
    partial: Partial | None = None
    random_access: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """A small body that was here together with its head, and is the right one. `stored`: clients may have it."""

    head: Head
    answer: Answer
    note: Note
    body: bytes
    private: bool = False
    stored: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Apart:
    """The origin has ranges, but nothing that ties them to one object: each client's range is handed on alone."""


Opened = Found | Streaming | Whole | Apart
