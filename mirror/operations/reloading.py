"""The configuration, read again while the server runs: all of it is put in force at once, or the old one stays."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mirror.cautions import cautions
from mirror.comparing import changed, known, taken
from mirror.errors import ConfigError
from mirror.ports import Clock
from mirror.settings import Config

log = logging.getLogger("mirror.reload")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration in force: since when (wall clock), how many there were before it, and the names of all mirrors
    that there have been, in the order in which they came. Processes of one server give it to each other."""

    config: Config
    at: float
    number: int = 0
    names: tuple[str, ...] = ()

    @classmethod
    def first(cls, config: Config, at: float | None = None) -> Loaded:
        """The one that the server starts with."""
        return cls(config, time.time() if at is None else at, 0, known((), config))


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The keys that have changed and are in force; those that wait for a restart."""

    changed: tuple[str, ...]
    restart: tuple[str, ...]


Commit = Callable[[], None]
Prepare = Callable[[Loaded], Commit]
"""Makes ready what a part needs of a configuration; may block, and raises ConfigError where it cannot be. What it
returns puts that in force: at once, without fail, in the event loop."""


class Reloading:
    """The one in force, `loaded`, and why the last attempt at another one failed, `error` ("": it did not).

    `read` reads the file; it may block. `parts` are asked in order. `spread` gives what is in force to the other
    processes of the server; `refused` tells them why there is nothing new.
    """

    def __init__(self, loaded: Loaded, read: Callable[[], Config], wall: Clock = time.time) -> None:
        self.loaded = loaded
        self.error = ""
        self.parts: list[Prepare] = []
        self.spread: Callable[[Loaded], Awaitable[None]] | None = None
        self.refused: Callable[[str], None] = lambda _: None
        self._read = read
        self._wall = wall
        self._turn = asyncio.Lock()

    async def reload(self) -> Reloaded:
        """Read the file, and put in force what it says. ConfigError with all that is wrong: then nothing changes."""
        async with self._turn:
            try:
                new = await asyncio.to_thread(self._read)
                config, waiting = taken(self.loaded.config, new)
                different = changed(self.loaded.config, config)
                names = known(self.loaded.names, config)
                loaded = Loaded(config, self._wall(), self.loaded.number + 1, names)
                commits = await asyncio.to_thread(self._prepared, loaded)
            except ConfigError as exc:
                self.error = str(exc)
                log.error("the configuration stays as it was: %s", exc)  # noqa: TRY400  no trace of ours
                self.refused(self.error)
                raise
            self._commit(loaded, commits)
            log.info("the configuration was read again; changed: %s", ", ".join(different) or "nothing")
            if waiting:
                log.warning("only a restart puts in force: %s", ", ".join(waiting))
            for line in cautions(config):
                log.warning("%s", line)
            if self.spread is not None:
                await self.spread(loaded)
            return Reloaded(tuple(different), tuple(waiting))

    async def take(self, loaded: Loaded) -> None:
        """Another process has read it, and found it good."""
        async with self._turn:
            if loaded.number > self.loaded.number:
                self._commit(loaded, await asyncio.to_thread(self._prepared, loaded))

    def _prepared(self, loaded: Loaded) -> list[Commit]:
        return [prepare(loaded) for prepare in self.parts]

    def _commit(self, loaded: Loaded, commits: Sequence[Commit]) -> None:
        """No await here: who asks meanwhile sees all of the old one, or all of the new one."""
        self.loaded, self.error = loaded, ""
        for commit in commits:
            commit()
