"""Collapsed forwarding: all running fills by key, so that there is one download of a key, however many ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mirror.body import Body
from mirror.fill import Asked, Fill
from mirror.model import Entry
from mirror.outside import Outside
from mirror.settings import FillSettings
from mirror.turnstile import Turnstile


@dataclass(eq=False, slots=True)
class Watch:
    """How often `key` was purged or invalidated while somebody looked."""

    key: str
    changes: int = 0


@dataclass
class Fills:
    """All running fills, by key. `stored` is called with each new entry, before its last bytes go out; `accept` with
    each new part of a generation before anybody gets it (None: it could not be stored), and raises OriginError where
    nobody may."""

    outside: Outside
    settings: FillSettings = field(default_factory=FillSettings)
    stored: Callable[[Asked, Entry], Awaitable[None]] = field(default=lambda _asked, _entry: _nothing())
    accept: Callable[[Asked, Entry | None], Awaitable[None]] = field(default=lambda _asked, _entry: _nothing())

    def __post_init__(self) -> None:
        self._running: dict[str, Fill] = {}  # whom the next request for a key joins
        self.turnstile = Turnstile()
        self._all: set[Fill] = set()  # also those of purged keys, and those that pause
        self.deserted: set[Fill] = set()  # those whose readers have all gone
        self._watches: list[Watch] = []
        self._unshared: dict[str, float] = {}
        self._distrusted: dict[str, float] = {}
        self._retired: set[asyncio.Task[None]] = set()

    def start(self, asked: Asked) -> Fill:
        """The key's fill; begun now when there is none."""
        fill = self._running.get(asked.plan.key)
        if fill is None or fill.pausing or fill.over:
            fill = self._running[asked.plan.key] = Fill(self, asked, fill)
            self._all.add(fill)
        return fill

    def get(self, key: str) -> Fill | None:
        """The running fill of that key; not one that has failed or pauses, and is about to end."""
        fill = self._running.get(key)
        return None if fill is not None and (fill.over or fill.pausing) else fill

    def running(self) -> list[Fill]:
        """All fills that have not ended, those of purged keys too."""
        return list(self._all)

    def by_mirror(self) -> dict[str, tuple[int, int]]:
        """Of each mirror that has any: how many run, and how many readers they have."""
        found: dict[str, tuple[int, int]] = {}
        for fill in self._all:
            fills, followers = found.get(fill.asked.mirror.name, (0, 0))
            found[fill.asked.mirror.name] = fills + 1, followers + fill.followers
        return found

    def shared(self, key: str) -> bool:
        """False while it is remembered that this key's answers are for one client each (hit-for-miss)."""
        return self._unshared.get(key, 0.0) <= asyncio.get_running_loop().time()

    def share(self, key: str) -> None:
        """This key's answers may be shared after all."""
        self._unshared.pop(key, None)

    def unshare(self, key: str) -> None:
        """This key's answers may not be shared: the next requests go to the origin side by side."""
        _until(self._unshared, key, self.settings.unshared)

    def become(self, settings: FillSettings) -> None:
        """From now on these hold."""
        self.settings = settings

    def forget(self) -> None:
        """What was found out of keys and URLs under other rules."""
        self._unshared.clear()
        self._distrusted.clear()

    def distrust(self, urls: Collection[str]) -> None:
        """The digest of what came from there was wrong: the others are asked meanwhile. Of several none is to blame."""
        for url in urls if len(urls) == 1 else ():
            _until(self._distrusted, url, self.settings.distrusted)

    def distrusted(self, urls: Sequence[str]) -> set[str]:
        """Those that had the wrong bytes lately; none where all had."""
        now = asyncio.get_running_loop().time()
        found = {url for url in urls if self._distrusted.get(url, 0.0) > now}
        return found if len(found) < len(set(urls)) else set()

    @contextmanager
    def watch(self, key: str) -> Iterator[Watch]:
        """Counts what is done to this key, whether anything is stored under it or not."""
        watch = Watch(key)
        self._watches.append(watch)
        try:
            yield watch
        finally:
            self._watches.remove(watch)

    def disown(self, matches: Callable[[str], bool]) -> int:
        """A purge: running readers finish, their bytes are not published, and the next request starts afresh."""
        for watch in self._watches:
            watch.changes += matches(watch.key)
        fills = [fill for fill in self._all if fill.published and matches(fill.key)]
        for fill in fills:
            fill.published = False
            self._running.pop(fill.key, None)
        self._unshared = {key: until for key, until in self._unshared.items() if not matches(key)}
        return len(fills)

    def ended(self, fill: Fill) -> None:
        if self._running.get(fill.key) is fill:
            del self._running[fill.key]
        self._all.discard(fill)
        self.deserted.discard(fill)

    def retire(self, fill: Fill, body: Body) -> None:
        """The bytes are all there, or given up: close the file when the last reader has gone."""
        if body.partial is not None:
            task = asyncio.get_running_loop().create_task(body.emptied())
            self._retired.add(task)
            task.add_done_callback(self._retired.discard)

    async def close(self) -> None:
        """Stop all fills where they are; what can be gone on with later is kept."""
        fills = self.running()
        for fill in fills:
            fill.stop()
        if fills:
            await asyncio.wait([fill.task for fill in fills])
        for fill in fills:
            self.ended(fill)  # one that was cancelled before its first step could not say so
        if self._retired:
            await asyncio.wait(set(self._retired), timeout=5.0)


def _until(times: dict[str, float], name: str, seconds: float) -> None:
    """Remember a name for so long, and forget those whose time is over where they are many."""
    now = asyncio.get_running_loop().time()
    if len(times) >= 10_000:
        for known in [known for known, until in times.items() if until <= now]:
            del times[known]
    times[name] = now + seconds


async def _nothing() -> None:
    return None
