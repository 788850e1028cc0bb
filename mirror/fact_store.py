"""The port of what is known of files; every implementation passes its contract tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from mirror.changes import Changes
from mirror.model import Fact


class FactStore(Protocol):
    """What index documents say of files, by mirror, slot (the document) and name (the file). `changes` is told of each
    put."""

    changes: Changes

    async def put(self, mirror: str, slot: str, source: str, facts: Iterable[Fact], now: float) -> None:
        """Replace the slot's facts by those of the document whose bytes have the sha256 `source`, at `now` (seconds
        since the epoch). A name that the slot had keeps its `first_seen`; that of a new one is `now`."""
        ...

    async def source(self, mirror: str, slot: str) -> str | None:
        """The digest of the document that the slot's facts came from; None when there are none, and when they were read
        from it by an older version, which left some of it out: it is to be read once more."""
        ...

    async def seen(self, mirror: str, slot: str) -> dict[str, float]:
        """When each name that the slot has was first put."""
        ...

    async def find(self, mirror: str, slots: Sequence[str], name: str) -> Fact | None:
        """The fact `name`, in the given slots, or in all of the mirror's when none are given."""
        ...

    async def listed(self, mirror: str, slot: str) -> list[Fact]:
        """All facts of one slot."""
        ...

    async def page(self, mirror: str, after: str) -> tuple[str, str, list[Fact]] | None:
        """Of one slot: its place in the order in which all slots of the mirror are gone through, its name, its facts.
        It is the first one behind the place `after` ("" is before all). None: there are no more."""
        ...
