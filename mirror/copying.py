"""Keeps copies of advisories that others publish: asked for now and then, and replaced by what has come whole alone."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random as dice
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from pathlib import Path

from mirror import advisories
from mirror.copies import FIELDS, Copy
from mirror.errors import MirrorError, OriginError
from mirror.headers import Headers
from mirror.ports import Answer, Origin
from mirror.stores.files import sync_folders

log = logging.getLogger("mirror.policy")

LARGEST = 2 << 30
"""Bytes of one copy: what is larger is none."""
LOOK = 5.0
"""Seconds after which it is looked again whether something is due, or another address is configured."""

_PIECE = 1 << 20
_RETRY = 30.0  # seconds; twice as long after each further failure


class Copying:
    """See the module. One process does it: the one that holds the cache. `sleep` and `random` stand for those."""

    def __init__(
        self,
        origin: Origin,
        *,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = dice.random,
    ) -> None:
        self._origin = origin
        self._wall = wall
        self._sleep = sleep
        self._random = random
        self._due: dict[Copy, float] = {}
        self._failed: dict[Copy, int] = {}  # how often, one after the other

    async def follow(self, wanted: Callable[[], Iterable[Copy]], every: Callable[[], float]) -> None:
        """Keep what is wanted up to date, asked for each `every` seconds. Ends when it is cancelled."""
        while True:
            for each in tuple(wanted()):
                try:
                    await self.look(each, every())
                except Exception:
                    log.exception("advisories: an error of the mirror's own")
            now = self._wall()
            await self._sleep(min([LOOK, *(max(1.0, self._due[each] - now) for each in wanted() if each in self._due)]))

    async def look(self, copy: Copy, every: float) -> None:
        """Ask for it, where that is due. Who starts anew asks when the one before would have."""
        now = self._wall()
        age = copy.age(now)
        if age is None and copy not in self._failed:  # at first, and where somebody has emptied the cache
            self._due[copy] = now
        elif copy not in self._due:
            self._due[copy] = now + every - (age or 0.0)
        if self._due[copy] > now:
            return
        self._due[copy] = now + every  # whatever becomes of it
        try:
            size = await self._fetched(copy)
        except (MirrorError, OSError) as exc:
            self._tell_failed(copy, exc)
            pause = min(every, _RETRY * 2 ** min(self._failed[copy] - 1, 10))
        else:
            self._tell(copy, size)
            pause = every
        self._due[copy] = self._wall() + pause * (0.9 + self._random() / 5)  # not all mirrors at once

    async def _fetched(self, copy: Copy) -> int | None:
        """The size of a new copy, which is in the place of the one before; None where that is the right one still."""
        known = await asyncio.to_thread(copy.known)
        fields = [(asked, known[name]) for name, asked in FIELDS if name in known]
        answer = await self._origin.fetch((copy.url,), headers=Headers(tuple(fields)), route=copy.route)
        try:
            if answer.head.status == 304 and fields:
                await asyncio.to_thread(os.utime, copy.note)
                return None
            if answer.head.status != 200:
                raise OriginError(f"it answered with status {answer.head.status}")
            if not answer.delimited:
                raise OriginError("nobody can know whether it came whole")
            return await self._written(copy, answer)
        finally:
            await answer.aclose()

    async def _written(self, copy: Copy, answer: Answer) -> int:
        new = copy.path.with_suffix(".new")
        await asyncio.to_thread(_folder, copy.path.parent)
        try:
            size = 0
            with await asyncio.to_thread(new.open, "wb") as file:
                async for piece in _pieces(answer):
                    size += len(piece)
                    if size > LARGEST:
                        raise OriginError(f"it has more than {LARGEST} bytes")
                    await asyncio.to_thread(file.write, piece)
                await asyncio.to_thread(_synced, file.fileno(), file.flush)
            if wrong := await asyncio.to_thread(advisories.wrong, new):
                raise OriginError(f"what came are no advisories ({wrong})")
            said = {name: text for name, _ in FIELDS if (text := answer.head.headers.get(name))}
            await asyncio.to_thread(_replaced, copy, new, said)
        finally:
            await asyncio.to_thread(new.unlink, missing_ok=True)
        return size

    def _tell(self, copy: Copy, size: int | None) -> None:
        if size is not None:
            log.info("advisories: a new copy of %s, %d bytes", copy.url, size)
        elif copy in self._failed:
            log.info("advisories: %s answers again; its copy is the right one", copy.url)
        self._failed.pop(copy, None)

    def _tell_failed(self, copy: Copy, exc: Exception) -> None:
        self._failed[copy] = self._failed.get(copy, 0) + 1
        if self._failed[copy] == 1:
            stays = "there is no copy yet" if copy.age(self._wall()) is None else "the last copy stays in force"
            log.warning("advisories: %s cannot be fetched: %s; %s", copy.url, exc, stays)


async def _pieces(answer: Answer) -> AsyncIterator[bytes]:
    """The body in large pieces: each is written on a thread."""
    gathered = bytearray()
    async with aclosing(aiter(answer.chunks())) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            gathered += chunk
            if len(gathered) >= _PIECE:
                yield bytes(gathered)
                gathered.clear()
    yield bytes(gathered)


def _folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _synced(fd: int, flush: Callable[[], None]) -> None:
    flush()
    os.fsync(fd)


def _replaced(copy: Copy, new: Path, said: dict[str, str]) -> None:
    """The note goes first, and comes last: one that stands beside another copy would keep that for ever."""
    copy.note.unlink(missing_ok=True)
    new.replace(copy.path)
    copy.note.write_text(json.dumps(said))
    sync_folders({copy.path.parent})
