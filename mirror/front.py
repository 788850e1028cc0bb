"""The application of a process that answers hits, beside the one that holds the cache's lease."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

from fastapi import FastAPI

from mirror.app import App
from mirror.changes import Changes
from mirror.counters import Counters
from mirror.documents import Documents
from mirror.elsewhere import NoFills, NoOrigin, ReadingEngine, ReadingOutside
from mirror.operations.reloading import Loaded
from mirror.settings import Config
from mirror.signatures import Gpgv
from mirror.stores.reading import ReadingStores, reading_stores
from mirror.uses import Uses
from mirror.web.proxy import Proxy


class Front(App):
    """Raises Elsewhere where the holder has to answer. `changes` is in memory that is shared with the holder."""

    def __init__(
        self, config: Config, changes: Changes, counters: Counters | None = None, loaded: Loaded | None = None
    ) -> None:
        super().__init__(config, changes=changes, counters=counters, loaded=loaded)
        self._stores: ReadingStores | None = None
        self._uses = Uses(tells=True)

    def taken_use(self) -> dict[str, tuple[float, int]]:
        """Which blobs were used since this was asked last: when last (wall clock), and how often."""
        used = self._stores.store.taken_use() if self._stores is not None else {}
        return {**{blob: (at, 0) for blob, at in used.items()}, **self._uses.taken()}

    async def _open(self, site: FastAPI, stack: AsyncExitStack) -> None:
        await self._begin_record(stack)
        self._stores = stores = reading_stores(self.config.cache.path, self._changes)
        stack.push_async_callback(stores.close)
        outside = ReadingOutside(NoOrigin(), stores.store, stores.index, time.time, stores.store.changes, self._uses)
        fills = NoFills(outside)
        self._engine = engine = ReadingEngine(outside, fills, stores.facts, Documents(), Gpgv())
        stack.push_async_callback(engine.close)
        known = (self.config.mirrors, self._names, self._mounts, time.time, self._counters)
        self._proxy = Proxy(engine, *known, self._tokens, self._gathered)
        stack.callback(self._proxy.close)
        self._follow_advisories(stack)
