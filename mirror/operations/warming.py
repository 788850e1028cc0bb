"""Warm and refresh: what clients will ask for is fetched before they do, or asked for at its upstream once more."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from typing import Any, Literal

from mirror.engine import Engine
from mirror.errors import MirrorError, OriginError, RequestError
from mirror.model import Mirror, Request
from mirror.operations.asking import Asking
from mirror.operations.jobs import Job, Jobs
from mirror.operations.reached import Reached
from mirror.ports import Clock, Hop
from mirror.reply import Reply

log = logging.getLogger("mirror.jobs")

AT_ONCE = 4
"""Addresses that one job asks for at a time."""

_MOVES = 5

Fate = Literal["there", "unchanged", "fetched"]


class Warming:
    """Asks as clients do, and throws the bodies away."""

    def __init__(self, asking: Asking, engine: Engine, reached: Reached, jobs: Jobs, wall: Clock) -> None:
        self._asking = asking
        self._answer = engine.answer
        self._foresee = engine.foresee
        self._reached = reached
        self._jobs = jobs
        self._wall = wall

    def warm(self, urls: Sequence[str]) -> Job:
        """A job that has all of them stored: addresses here, or URLs of upstreams. Its result counts what was `there`
        and what was `fetched`, its `bytes` the bodies of both."""
        wanted = _wanted(urls)
        return self._jobs.start("warm", lambda job: self._work(job, wanted, Hop()), total=len(wanted))

    def refresh(self, urls: Sequence[str]) -> Job:
        """A job that has the upstreams asked for all of them now; what is stored stays where they fail. Its result
        counts what was `fetched`, what is `unchanged`, and what was `there` and never changes."""
        wanted = _wanted(urls)
        return self._jobs.start("refresh", lambda job: self._work(job, wanted, Hop(again=True)), total=len(wanted))

    async def _work(self, job: Job, urls: Sequence[str], hop: Hop) -> dict[str, Any]:
        fates: Counter[Fate] = Counter()
        waiting = iter(urls)
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._go_through(job, waiting, hop, fates))
        words: tuple[Fate, ...] = ("fetched", "unchanged", "there")
        return {word: fates[word] for word in words}

    async def _go_through(self, job: Job, urls: Iterator[str], hop: Hop, fates: Counter[Fate]) -> None:
        for url in urls:
            job.current = url
            try:
                fates[await self._one(job, url, hop)] += 1
            except MirrorError as exc:
                job.fail(url, str(exc))
            except Exception:  # the others are worth going on
                log.exception("%s of %s: an error of the mirror's own", job.kind, url)
                job.fail(url, "an error of the mirror's own; the log has it")
            job.done += 1

    async def _one(self, job: Job, url: str, hop: Hop) -> Fate:
        began = self._wall()
        for _ in range(_MOVES):
            mirror, request = self._asking.request(url)
            reply = await self._answer(mirror, request, hop)
            try:
                await _read(job, reply)
            finally:
                await reply.source.close()
            moved = reply.head.headers.get("location") or ""
            if reply.outcome.detail != "local" or not moved.startswith("/"):
                fate = self._fate(reply, mirror, hop, began)
                if fate == "fetched" and not await self._is_stored(mirror, request):
                    raise OriginError("the answer may not be stored, or found no room")
                return fate
            url = moved  # to its canonical name
        raise RequestError(f"{url} leads nowhere")

    def _fate(self, reply: Reply, mirror: Mirror, hop: Hop, began: float) -> Fate:
        """What became of it; MirrorError where that is not what was wanted."""
        outcome, status = reply.outcome, reply.head.status
        if outcome.detail == "stale-if-error" and hop.again:
            raise OriginError(f"the upstream failed, and what is stored stays{self._why(mirror, began)}")
        if outcome.detail in ("generation", "offline") and hop.again:
            raise OriginError(_NOT_ASKED[outcome.detail])
        if status >= 400:
            raise OriginError(f"the answer is {status}")
        if outcome.hit:
            return "there"
        if outcome.fwd_status == 304:
            return "unchanged" if hop.again else "there"
        return "fetched"

    async def _is_stored(self, mirror: Mirror, request: Request) -> bool:
        looked = (await self._foresee(mirror, request)).looked
        return looked is not None and looked.entry is not None

    def _why(self, mirror: Mirror, began: float) -> str:
        """What went wrong last with the mirror's upstreams, if that is known."""
        states = self._reached.of(mirror.upstreams)
        errors = [known.error for known in states if known.error_at is not None and known.error_at >= began - 60]
        return f": {errors[0]}" if errors else ""


_NOT_ASKED = {
    "generation": "the new release cannot be served yet, and the one before stays",
    "offline": "this mirror is set to stay offline",
}


def _wanted(urls: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(urls))


async def _read(job: Job, reply: Reply) -> None:
    """To the end: then it is stored. What is in a file already is only counted."""
    async with aclosing(reply.source.read(0, None)) as pieces:
        async for piece in pieces:
            job.bytes += len(piece) if isinstance(piece, bytes | memoryview) else piece.count
