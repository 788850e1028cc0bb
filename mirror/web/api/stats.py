"""What was answered, served, fetched and saved, and what is stored: as the admin API tells it."""

from __future__ import annotations

import time
from importlib.metadata import version

from fastapi import APIRouter
from pydantic import BaseModel, Field

from mirror.counters import OUTCOMES
from mirror.model import Mirror
from mirror.operations import Held, Operations
from mirror.operations.reloading import Reloading
from mirror.web.api.about import About
from mirror.web.api.upstreams import UpstreamAnswer
from mirror.web.auth import Rights, Role


class Counts(BaseModel):
    """`requests` by outcome, as X-Cache says it, or ERROR; bytes of bodies: served to clients, of these saved (they
    came from the store), fetched from upstreams; what is stored: `entries`, and their bodies' bytes."""

    requests: dict[str, int]
    bytes_served: int
    bytes_saved: int
    bytes_fetched: int
    errors: int
    entries: int
    size: int

    @classmethod
    def of(cls, held: Held) -> Counts:
        """The same, as JSON has it."""
        count = held.count
        return cls(
            requests=count.requests,
            bytes_served=count.served,
            bytes_saved=count.saved,
            bytes_fetched=count.fetched,
            errors=count.requests["ERROR"],
            entries=held.entries,
            size=held.size,
        )


class MirrorStats(Counts):
    """One mirror, and how it is set."""

    ecosystem: str
    unavailable: str = Field(description="why it cannot work; empty where it can")
    access: str = Field(description="whom it answers: anyone, or who shows a token")
    max_size: int | None = Field(description="bytes that it may take; null: as many as there are")

    @classmethod
    def about(cls, counts: Counts, mirror: Mirror) -> MirrorStats:
        """The counts of that mirror."""
        access, share = getattr(mirror, "access", "anyone"), getattr(mirror, "max_size", None)
        return cls(
            **counts.model_dump(),
            ecosystem=mirror.ecosystem,
            unavailable=mirror.unavailable,
            access=access,
            max_size=share,
        )


class CacheStats(BaseModel):
    """The room that the cache has, in bytes."""

    path_free: int = Field(description="free on the file system")
    used: int = Field(description="taken or promised, of max_size")
    max_size: int
    min_free: int
    entries: int
    evicted: int = Field(description="bodies that went for others, since the start")


class ConfigStats(BaseModel):
    """The configuration in force: since when (POSIX seconds), and why the last attempt to read another one failed."""

    loaded_at: float
    error: str | None


class Stats(BaseModel):
    """Since the server was started, over all its processes. `totals` also has what was asked of no mirror, or of one
    that there is no more; `uptime` in seconds."""

    version: str
    uptime: float
    mirrors: dict[str, MirrorStats]
    totals: Counts
    upstreams: list[UpstreamAnswer]
    cache: CacheStats
    fills: int = Field(description="downloads that run now")
    config: ConfigStats | None
    workers: int


async def tell(operations: Operations, about: About) -> Stats:
    """What the route tells."""
    found = {name: Counts.of(held) for name, held in (await operations.stats()).items()}
    totals = _sum(list(found.values()))
    # A mirror that came while what is stored was summed up is not among them.
    known = [mirror for mirror in operations.mirrors if mirror.name in found]
    mirrors = {mirror.name: MirrorStats.about(found[mirror.name], mirror) for mirror in known}
    room = operations.room
    return Stats(
        version=version("mirror"),
        uptime=time.monotonic() - about.started,
        mirrors=mirrors,
        totals=totals,
        upstreams=[UpstreamAnswer.of(known) for known in operations.upstreams()],
        cache=CacheStats(
            path_free=room.told()[2],
            used=room.used,
            max_size=room.limits.max_size,
            min_free=room.limits.min_free,
            entries=totals.entries,
            evicted=room.evicted,
        ),
        fills=len(operations.running()),
        config=_config(operations.reloading),
        workers=about.workers,
    )


def routes(operations: Operations, rights: Rights, about: About) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/stats", dependencies=[rights.needs(Role.READ)])
    async def stats() -> Stats:
        """What was answered, served, fetched and saved, what is stored (summed up at most 5 s ago), how the upstreams
        do, and what room there is."""
        return await tell(operations, about)

    return router


def _config(reloading: Reloading | None) -> ConfigStats | None:
    return ConfigStats(loaded_at=reloading.loaded.at, error=reloading.error or None) if reloading else None


def _sum(each: list[Counts]) -> Counts:
    requests = {outcome: sum(one.requests[outcome] for one in each) for outcome in OUTCOMES}
    names = ("bytes_served", "bytes_saved", "bytes_fetched", "errors", "entries", "size")
    return Counts(requests=requests, **{name: sum(getattr(one, name) for one in each) for name in names})
