"""What the stream of events tells: stats and downloads."""

from __future__ import annotations

from mirror.operations import Operations
from mirror.web.api import fills, stats
from mirror.web.api.about import About
from mirror.web.api.events import Feed


def feed(operations: Operations, about: About) -> Feed:
    """The one feed of a server."""

    async def tell_stats() -> tuple[object, str]:
        told = await stats.tell(operations, about)
        compared = told.model_dump(exclude={"uptime": True, "cache": {"path_free"}})
        return compared, told.model_dump_json()

    async def tell_fills() -> tuple[object, str]:
        told = fills.tell(operations)
        return [fill.model_dump() for fill in told.fills], told.model_dump_json()

    return Feed({"stats": tell_stats, "fills": tell_fills}, about.ending)
