"""What an operator can do, a file for each verb. The admin API exposes them; command line and page are its clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mirror.breaker import Health
from mirror.counters import Counters
from mirror.engine import Engine
from mirror.evict import Room
from mirror.fills import Fills
from mirror.model import Mirror
from mirror.operations.asking import Asking
from mirror.operations.entries import Entries
from mirror.operations.explaining import Explaining
from mirror.operations.history import History
from mirror.operations.holdings import Held, Holdings
from mirror.operations.jobs import Jobs
from mirror.operations.places import Places
from mirror.operations.purging import Purged, Purging
from mirror.operations.reached import Reached
from mirror.operations.running import Looks
from mirror.operations.selecting import Selection
from mirror.operations.warming import Warming
from mirror.ports import BlobStore, Clock, Index

__all__ = ["Around", "Held", "Operations", "Purged", "Selection"]


@dataclass(frozen=True, slots=True)
class Around:
    """What else of the running server is looked at: the engine, the room that the cache has, how the upstreams do."""

    engine: Engine
    room: Room
    health: Callable[[], Mapping[str, Health]]


class Operations:
    """The verbs, over the ports."""

    def __init__(
        self,
        store: BlobStore,
        index: Index,
        fills: Fills,
        mirrors: tuple[Mirror, ...],
        counters: Counters | None = None,
        clock: Clock = time.monotonic,
        *,
        around: Around,
    ) -> None:
        places = Places(mirrors)
        names = tuple(places.mirrors)
        counters, wall = counters or Counters(names), fills.outside.wall
        self.mirrors = mirrors
        self.room = around.room
        self.jobs = Jobs(wall)
        self.purge = Purging(store, index, fills, places, self.jobs, clock).purge
        self.entries = Entries(index, places, fills.outside.uses, wall, clock)
        self.stats = Holdings(index, counters, names, wall).stats
        looks = Looks(fills, asyncio.get_running_loop().time)
        reached = Reached(mirrors, around.health, wall)
        asking = Asking(mirrors)
        self.explain = Explaining(asking, around.engine.foresee, looks, reached, wall).explain
        warming = Warming(asking, around.engine, reached, self.jobs, wall)
        self.warm, self.refresh = warming.warm, warming.refresh
        self.fills = looks.fills
        self.running = fills.running
        self.history = History(counters, wall)
        self.upstreams = reached.upstreams
