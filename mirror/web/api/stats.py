"""What was answered, served, fetched and saved, and what is stored: as the admin API tells it."""

from __future__ import annotations

import time
from importlib.metadata import version

from fastapi import APIRouter
from pydantic import BaseModel

from mirror.counters import NOBODY, OUTCOMES
from mirror.operations import Held, Operations
from mirror.operations.reloading import Reloading
from mirror.web.auth import Rights, Role


class MirrorStats(BaseModel):
    """One mirror. `requests` by outcome, as X-Cache says it, or ERROR; bytes of bodies: served to clients, of these
    saved (they came from the store), fetched from upstreams; what is stored: `entries`, and their bodies' bytes."""

    requests: dict[str, int]
    bytes_served: int
    bytes_saved: int
    bytes_fetched: int
    errors: int
    entries: int
    size: int

    @classmethod
    def of(cls, held: Held) -> MirrorStats:
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
    totals: MirrorStats
    config: ConfigStats | None


def routes(operations: Operations, rights: Rights, started: float) -> APIRouter:
    """The route. `started`: when the server was, by the monotonic clock."""
    router = APIRouter()
    known = version("mirror")

    @router.get("/stats", dependencies=[rights.needs(Role.READ)])
    async def stats() -> Stats:
        """What was answered, served, fetched and saved, and what is stored (summed up at most 5 s ago)."""
        found = {name: MirrorStats.of(held) for name, held in (await operations.stats()).items()}
        totals = _sum(list(found.values()))
        del found[NOBODY]
        return Stats(
            version=known,
            uptime=time.monotonic() - started,
            mirrors=found,
            totals=totals,
            config=_config(operations.reloading),
        )

    return router


def _config(reloading: Reloading | None) -> ConfigStats | None:
    return ConfigStats(loaded_at=reloading.loaded.at, error=reloading.error or None) if reloading else None


def _sum(each: list[MirrorStats]) -> MirrorStats:
    requests = {outcome: sum(one.requests[outcome] for one in each) for outcome in OUTCOMES}
    names = ("bytes_served", "bytes_saved", "bytes_fetched", "errors", "entries", "size")
    return MirrorStats(requests=requests, **{name: sum(getattr(one, name) for one in each) for name in names})
