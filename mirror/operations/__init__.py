"""What an operator can do, a file for each verb. The admin API exposes them; command line and page are its clients."""

from __future__ import annotations

from mirror.counters import Counters
from mirror.fills import Fills
from mirror.model import Mirror
from mirror.operations.holdings import Held, Holdings
from mirror.operations.jobs import Jobs
from mirror.operations.places import Places
from mirror.operations.purging import Purged, Purging, Selection
from mirror.operations.reloading import Reloading
from mirror.ports import BlobStore, Index

__all__ = ["Held", "Operations", "Purged", "Selection"]


class Operations:
    """The verbs, over the ports."""

    def __init__(
        self,
        store: BlobStore,
        index: Index,
        fills: Fills,
        mirrors: tuple[Mirror, ...],
        counters: Counters | None = None,
        reloading: Reloading | None = None,
    ) -> None:
        places = self.places = Places(mirrors)
        self.reloading = reloading
        self.jobs = Jobs(fills.outside.wall)
        self.purge = Purging(store, index, fills, places).purge
        self.stats = Holdings(index, counters or Counters([*places.mirrors]), places, fills.outside.wall).stats

    def become(self, mirrors: tuple[Mirror, ...]) -> None:
        """From now on there are these mirrors."""
        self.places.become(mirrors)
