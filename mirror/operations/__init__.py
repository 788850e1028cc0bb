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
from mirror.operations.reloading import Reloading
from mirror.operations.running import Looks
from mirror.operations.selecting import Selection
from mirror.operations.warming import Warming
from mirror.operations.withholding import Holding
from mirror.ports import BlobStore, Clock, Index

__all__ = ["Around", "Held", "Operations", "Purged", "Selection"]


@dataclass(frozen=True, slots=True)
class Around:
    """What else of the running server is looked at: the engine, the room that the cache has, how the upstreams do, its
    configuration."""

    engine: Engine
    room: Room
    health: Callable[[], Mapping[str, Health]]
    reloading: Reloading | None = None


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
        self._places = places = Places(mirrors)
        counters, wall = counters or Counters(tuple(places.mirrors)), fills.outside.wall
        self.room = around.room
        self.reloading = around.reloading
        self.jobs = Jobs(wall)
        self.purge = Purging(store, index, fills, places, self.jobs, clock).purge
        self.entries = Entries(index, places, fills.outside.uses, wall, clock)
        self.stats = Holdings(index, counters, places, wall).stats
        looks = Looks(fills, asyncio.get_running_loop().time)
        self._reached = reached = Reached(mirrors, around.health, wall)
        self._asking = asking = Asking(mirrors, wall)
        self.explain = Explaining(asking, around.engine.foresee, self.entries, looks, reached, wall).explain
        warming = Warming(asking, around.engine, reached, self.jobs, wall)
        self.warm, self.refresh = warming.warm, warming.refresh
        self.held = Holding(around.engine.facts, places, wall).held
        self.fills = looks.fills
        self.running = fills.running
        self.history = History(counters, wall)
        self.upstreams = reached.upstreams

    @property
    def mirrors(self) -> tuple[Mirror, ...]:
        return tuple(self._places.mirrors.values())

    def become(self, mirrors: tuple[Mirror, ...]) -> None:
        """From now on there are these mirrors."""
        self._places.become(mirrors)
        self._reached.become(mirrors)
        self._asking.become(mirrors)
