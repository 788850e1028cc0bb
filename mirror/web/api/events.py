"""`GET /-/api/events`: stats and downloads as they change, as server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mirror.errors import MirrorError, Unavailable
from mirror.web.api.documented import refusals
from mirror.web.auth import Rights, Role

log = logging.getLogger("mirror.web")

MOST = 50
"""Listeners at once."""
EVERY = 1.0
"""Seconds between events of one kind."""
QUIET = 15.0
"""Seconds after which a comment says that the connection lives."""
GLANCE = 0.2
"""Seconds between looks whether the server ends."""
PARTING = 0.5
"""Seconds that a listener has to take the end of its stream."""

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

Tell = Callable[[], Awaitable[tuple[object, str] | None]]
"""Makes one event: what it is compared by, and its body; None: there is nothing to be told."""


class Listener:
    """One who listens: of each kind it gets the newest event, however slowly it takes them."""

    def __init__(self) -> None:
        self._waiting: dict[str, bytes] = {}
        self._told = asyncio.Event()
        self.over = asyncio.Event()

    def tell(self, kind: str, frame: bytes) -> None:
        """An event, or a comment."""
        self._waiting[kind] = frame
        self._told.set()

    async def next(self) -> bytes:
        """What was told since the last time; waits where that is nothing."""
        await self._told.wait()
        self._told.clear()
        frames, self._waiting = b"".join(self._waiting.values()), {}
        return frames


class Feed:
    """Makes each event once, whoever listens, and none while nobody does. `kinds`: what is told, by name; `ending`:
    whether streams have to end."""

    def __init__(
        self,
        kinds: dict[str, Tell],
        ending: Callable[[], bool],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kinds = kinds
        self._ending = ending
        self._sleep = sleep
        self._listeners: set[Listener] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._newest: dict[str, tuple[object, bytes]] = {}
        self._count = 0

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """One more listener, who begins with the newest events; Unavailable when there are too many. While the server
        ends it is told nothing: a browser asks again after an empty stream, and never after a refusal."""
        if len(self._listeners) >= MOST:
            raise Unavailable(f"{MOST} listen already")
        listener = Listener()
        if self._ending():
            listener.over.set()
            yield listener
            return
        for kind, (_, frame) in self._newest.items():
            listener.tell(kind, frame)
        self._listeners.add(listener)
        if not self._tasks:
            start = asyncio.get_running_loop().create_task
            self._tasks = [start(self._run()), start(self._watch())]
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._stop()

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks, self._newest = [], {}

    async def close(self) -> None:
        """End all streams."""
        tasks = self._tasks
        self._end()
        self._stop()
        if tasks:
            await asyncio.wait(tasks)

    def _end(self) -> None:
        for listener in self._listeners:
            listener.over.set()

    async def _watch(self) -> None:
        while not self._ending():
            await self._sleep(GLANCE)
        self._end()

    async def _run(self) -> None:
        quiet = 0.0
        try:
            while True:
                told = [await self._tell(kind, make) for kind, make in self._kinds.items()]
                quiet = 0.0 if any(told) else quiet + EVERY
                if quiet >= QUIET:
                    quiet = 0.0
                    self._say("", b":\n\n")
                await self._sleep(EVERY)
        except Exception:
            log.exception("events: an error of the mirror's own")
            self._end()

    async def _tell(self, kind: str, make: Tell) -> bool:
        """Tell it, if there is anything new."""
        try:
            made = await make()
        except MirrorError as exc:  # the index is locked: it may not be the next time
            log.debug("events: %s: %s", kind, exc)
            return False
        if made is None or (kind in self._newest and self._newest[kind][0] == made[0]):
            return False
        self._count += 1
        frame = f"event: {kind}\nid: {self._count}\ndata: {made[1]}\n\n".encode()
        self._newest[kind] = (made[0], frame)
        self._say(kind, frame)
        return True

    def _say(self, kind: str, frame: bytes) -> None:
        for listener in self._listeners:
            listener.tell(kind, frame)


class Stream(Response):
    """The answer: to its end it is the server's, or until the client leaves."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with self._feed.listen() as listener:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            start = asyncio.get_running_loop().create_task
            sending, leaving = start(_sending(listener, send)), start(_left(receive))
            over = start(listener.over.wait())
            tasks = (sending, leaving, over)
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                await _parted(sending, over, send)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def _sending(listener: Listener, send: Any) -> None:
    await send({"type": "http.response.body", "body": b"retry: 2000\n\n", "more_body": True})
    while True:
        await send({"type": "http.response.body", "body": await listener.next(), "more_body": True})


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _parted(sending: asyncio.Task[None], over: asyncio.Task[Any], send: Any) -> None:
    """End the body properly where the client takes that in time; else the server resets the connection."""
    sending.cancel()
    await asyncio.wait([sending], timeout=PARTING)
    if over.done():
        try:
            await asyncio.wait_for(send({"type": "http.response.body", "body": b""}), PARTING)
        except (TimeoutError, ConnectionError):
            return


def routes(feed: Feed, rights: Rights) -> APIRouter:
    """The route."""
    router = APIRouter()
    stream = {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "events, until it ends"}

    @router.get(
        "/events",
        dependencies=[rights.needs(Role.READ)],
        response_class=Response,
        responses={200: stream, **refusals(503)},
    )
    async def events() -> Response:
        """`event: stats` (as `/stats`, each second when it changed), `event: fills` (as `/fills`, each second while
        there are any, and once when the last one ended); a comment after 15 s without. 50 listeners at most."""
        return Stream(feed)

    return router
