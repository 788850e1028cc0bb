"""Keeps what is known from the advisories up to date: read off the event loop, and again when a file has changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mirror import advisories
from mirror.model import Mirror
from mirror.policy.advisories import Advisories
from mirror.policy.gatekeeper import informed

log = logging.getLogger("mirror.policy")

LOOK = 60.0
"""Seconds after which the files are looked at again."""

SOON = 0.5
"""The same, of files that are still to be fetched."""

Paths = tuple[Path, ...]
_Stamps = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Read:
    paths: Paths
    stamps: _Stamps
    found: Advisories


class Advising:
    """See the module."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._turn = threading.Lock()
        self._last: _Read | None = None

    def read(self, paths: Paths) -> Advisories:
        """What these files say now; they are read if one of them has changed. Blocks, seconds to minutes.

        What cannot be read is logged. Where nothing is left of what the same files said, that stays known: a download
        that failed does not make malware harmless.
        """
        with self._turn:
            stamps, last = tuple(_stamps(paths)), self._last
            if last is None or (last.paths, last.stamps) != (paths, stamps):
                found = advisories.read(paths)
                for problem in found.problems:
                    log.warning("advisories: %s", problem)
                if last is not None and last.paths == paths and last.found.count and not found.count:
                    log.error("advisories: none can be read any more; what was known stays in force")
                    found = last.found
                elif paths:
                    log.info("advisories: %d are known", found.count)
                last = self._last = _Read(paths, stamps, found)
            return last.found

    async def follow(
        self,
        paths: Callable[[], Paths],
        take: Callable[[Paths, Advisories], None],
        there: Callable[[], bool] = lambda: True,
    ) -> None:
        """Give `take` what the files say, from now on each time when it has changed, once all of them are `there`. Ends
        when it is cancelled."""
        given: Advisories | None = None
        while True:
            if not there():
                await self._sleep(SOON)
                continue
            try:
                asked = paths()
                found = await _apart(partial(self.read, asked))
                if found is not given:
                    take(asked, given := found)
            except Exception:
                log.exception("advisories: an error of the mirror's own")
            await self._sleep(LOOK)


async def _apart(read: Callable[[], Advisories]) -> Advisories:
    """What it gives, on a thread that nobody waits for when the server ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Advisories] = loop.create_future()

    def tell(how: Callable[[], None]) -> None:
        if not done.done():  # nobody waits any more
            how()

    def run() -> None:
        try:
            found = read()
        except Exception as exc:
            how: Callable[[], None] = partial(done.set_exception, exc)
        else:
            how = partial(done.set_result, found)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, how)

    threading.Thread(target=run, name="mirror-advisories", daemon=True).start()
    return await done


def known(mirrors: Iterable[Mirror], found: Advisories) -> tuple[Mirror, ...]:
    """The mirrors, whose gates know these advisories."""
    return tuple(replace(mirror, gate=informed(mirror.gate, found)) for mirror in mirrors)


def _stamps(paths: Paths) -> Iterator[tuple[str, int, int, int]]:
    """What changes with each of the files, and with those in the folders."""
    for path in paths:
        files = sorted(path.rglob("*.json")) + sorted(path.rglob("*.zip")) if path.is_dir() else [path]
        for file in files:
            with contextlib.suppress(OSError):  # it will be told when it is read
                stat = file.stat()
                yield str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino
