"""An engine that can do nothing but read what is stored: for processes beside the one that holds the cache's lease.

Whatever else a request takes raises Elsewhere, before anything of a response is out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mirror.engine import Engine
from mirror.errand import Errand
from mirror.errors import Elsewhere, MirrorError
from mirror.fill import Asked, Fill
from mirror.fills import Fills, Watch
from mirror.model import Entry, Mirror, Plan, Request
from mirror.outcome import Outcome
from mirror.outside import Outside
from mirror.ports import Answer, Hop
from mirror.reply import Reply


class NoOrigin:
    """Asks nobody."""

    async def fetch(self, urls: Sequence[str], **asked: Any) -> Answer:
        raise Elsewhere


class NoFills(Fills):
    """Downloads nothing, and knows of no download."""

    def start(self, asked: Asked) -> Fill:
        raise Elsewhere

    def get(self, key: str) -> Fill | None:
        raise Elsewhere

    @contextmanager
    def watch(self, key: str) -> Iterator[Watch]:
        raise Elsewhere
        yield

    def disown(self, matches: Callable[[str], bool]) -> int:
        raise Elsewhere


class ReadingOutside(Outside):
    """The ports, of which nothing but fresh entries with their bytes comes."""

    async def reply(self, plan: Plan, entry: Entry, outcome: Outcome) -> Reply | None:
        if outcome.ttl is not None and outcome.ttl < 0:  # a stale one is renewed meanwhile
            raise Elsewhere
        reply = await super().reply(plan, entry, outcome)
        if reply is None:
            raise Elsewhere
        return reply


class ReadingEngine(Engine):
    """See the module. What is wrong is for the other process to tell, too: it knows more."""

    async def answer(self, mirror: Mirror, request: Request, hop: Hop = Hop()) -> Reply:  # noqa: B008 - it is frozen
        try:
            return await super().answer(mirror, request, hop)
        except MirrorError as exc:
            raise Elsewhere from exc

    async def _found(self, errand: Errand) -> Reply:
        # Which release a client was given, only the other process knows.
        if errand.plan.generation or (errand.plan.lookup is not None and errand.plan.lookup.generation):
            raise Elsewhere
        return await super()._found(errand)
