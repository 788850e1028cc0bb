"""Takes what is to be recorded, off the requests' way: gathered for a moment, then written together in a thread."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from mirror.audit.book import Book
from mirror.audit.chain import LOST, START, STOP, Event, event, stamp

log = logging.getLogger("mirror.audit")

DELAY = 0.5
"""Seconds for which records are gathered: so much is lost when the process is killed."""
RETRY = 1.0
"""Seconds after which what could not be written is tried again."""
MOST = 32 << 20
"""Bytes of records that wait to be written; what comes when there are so many is lost, and counted."""
_EACH = 200  # bytes that a record takes in memory besides its text


class Recording:
    """See the module. To be used in one event loop."""

    def __init__(self, book: Book, delay: float = DELAY, retry: float = RETRY, most: int = MOST) -> None:
        self._book = book
        self._delay, self._retry, self._most = delay, retry, most
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._waiting: list[Event] = []
        self._size = 0  # of what waits, and of what is being written
        self._lost, self._since = 0, 0.0
        self._failing = False
        self._task: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    async def open(self) -> None:
        """Say that this process begins. That nothing can be written stops no server."""
        self._add((self._book.now(), event(START, process=os.getpid(), version=version("mirror"))))
        if not await self._write():
            self._go()

    def take(self, events: Iterable[Event]) -> None:
        """Have these written: each an instant and the members of an object. Never waits, and raises nothing."""
        for each in events:
            if self._size + len(each[1]) + _EACH > self._most:
                self._lost, self._since = self._lost + 1, self._since or each[0]
            else:
                self._add(each)
        self._go()

    def _add(self, each: Event) -> None:
        self._size += len(each[1]) + _EACH
        self._waiting.append(each)

    def _go(self) -> None:
        if self._task is None and (self._waiting or self._lost) and not self._ending.is_set():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while (self._waiting or self._lost) and not self._ending.is_set():
            try:
                async with asyncio.timeout(self._retry if self._failing else self._delay):
                    await self._ending.wait()
            except TimeoutError:
                await self._write()
        self._task = None

    async def _write(self) -> bool:
        """Write what waits, and behind it how many are lost; whether that went well."""
        events, self._waiting = self._waiting, []
        lost, now = self._lost, self._book.now()
        told = event(LOST, records=lost, since=stamp(self._since), until=stamp(now))
        written = [*events, (now, told)] if lost else events
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._book.append, written)
        except OSError as exc:
            self._waiting = events + self._waiting
            self._failed(exc)
            return False
        self._size -= sum(len(members) + _EACH for _, members in events)
        self._lost -= lost
        self._since = now if self._lost else 0.0
        self._again(lost)
        return True

    def _failed(self, exc: OSError) -> None:
        if not self._failing:
            self._failing = True
            log.warning("what is handed out cannot be recorded, and waits in memory: %s", exc.strerror or exc)

    def _again(self, lost: int) -> None:
        if self._failing:
            self._failing = False
            log.warning("what is handed out is recorded again: %s", f"{lost} records are lost" if lost else "all of it")
        elif lost:
            log.warning("%d records of what was handed out are lost: they came faster than they can be written", lost)

    async def close(self) -> None:
        """Write what waits, and that this process ends."""
        self._ending.set()
        if self._task is not None:
            await self._task
        self._add((self._book.now(), event(STOP, process=os.getpid())))
        if not await self._write():
            log.warning("%d records of what was handed out are lost", len(self._waiting) - 1 + self._lost)
        self._thread.shutdown(wait=False)
