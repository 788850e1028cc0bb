"""How often, and when last, what is stored was sent: counted in memory, of the bodies that were used last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

MOST = 50_000
"""Bodies of which it is known; the one that was used longest ago is forgotten first."""


class Use:
    """Of one body: `hits` since it is known, `last` in POSIX seconds."""

    __slots__ = ("hits", "last", "told")

    def __init__(self) -> None:
        self.hits = 0
        self.last = 0.0
        self.told = 0


class Uses:
    """The uses by blob. `tells`: another process is to be told of them, too."""

    def __init__(self, most: int = MOST, *, tells: bool = False) -> None:
        self._most = most
        self._tells = tells
        self._known: OrderedDict[str, Use] = OrderedDict()
        self._untold: dict[str, Use] = {}  # that were used since it was told, or may have been

    def of(self, blob: str, now: float) -> Use:
        """It is in use at `now`; whoever sends it may count its hits in this for a second, and has to ask again."""
        use = self._known.get(blob)
        if use is None:
            use = self._known[blob] = Use()
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(blob)
        use.last = max(use.last, now)
        if self._tells and len(self._untold) < self._most:
            self._untold[blob] = use
        return use

    def get(self, blob: str) -> Use | None:
        """What is known of a blob; that is no use of it."""
        return self._known.get(blob)

    def add(self, others: Mapping[str, tuple[float, int]]) -> None:
        """Another process has used these: when last, how often since it told so before."""
        for blob, (last, hits) in others.items():
            self.of(blob, last).hits += hits

    def taken(self) -> dict[str, tuple[float, int]]:
        """What was used since this was asked last: when last, how often."""
        # Who was given a Use less than a second ago goes on counting in it: it is looked at until nothing came.
        news = {blob: (use.last, use.hits - use.told) for blob, use in self._untold.items() if use.hits > use.told}
        self._untold = {blob: use for blob, use in self._untold.items() if blob in news}
        for use in self._untold.values():
            use.told = use.hits
        return news
