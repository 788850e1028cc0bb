"""One process of several that serve together: its sockets, its channels to the others, and how it makes room for a
successor without closing a connection."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mirror.operations.reloading import Loaded
from mirror.server.channel import Channel
from mirror.server.crowd import Crowd
from mirror.server.handing import FrontProtocol, HandingProtocol
from mirror.server.run import Config, Server, configured
from mirror.server.upward import Upward
from mirror.settings import ServerSettings

log = logging.getLogger("mirror.server")

READY = signal.SIGRTMIN
"""Tells the supervisor that the process that sends it serves. Signals of this kind do not merge."""
TOLD = signal.SIGRTMIN + 1
"""Tells the supervisor to look at what the holder has told it."""
RETIRE = signal.SIGUSR2
"""Tells a worker that a successor has its place."""

IN_FORCE = 5.0
"""Seconds that the holder waits for the others to put a configuration in force."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker serves at, and what outlives it: `listeners`, and ends of channels (a front has one, which leads to
    the holder; the holder has one to each front). `life` has nothing to be read while there is a supervisor, whose
    process id is `supervisor`; `up` is the holder's way to tell it something."""

    number: int
    listeners: tuple[socket.socket, ...]
    ends: tuple[socket.socket, ...]
    life: int
    supervisor: int
    up: socket.socket

    @property
    def holder(self) -> bool:
        """Whether this is the place of the one that holds the cache's lease."""
        return self.number == 0


def work(app: Any, settings: ServerSettings, place: Place, beat: Callable[[], None]) -> int:
    """Serve at that place until told to stop; the exit code. `beat` is called once a second."""
    channels = [Channel(end) for end in place.ends]
    protocol, way = (HandingProtocol, None) if place.holder else (FrontProtocol, channels[0])
    config = configured(app, protocol, holder=way, crowd=Crowd(settings.max_connections_per_client))
    server = Worker(config, app, settings.drain, place, channels, beat)
    server.run(list(place.listeners))
    return 0 if server.started else 1


class Worker(Server):
    """A server that gives its place to a successor on RETIRE: who is being answered is answered to the end, and goes on
    elsewhere then; who rests does at once. The listeners' queues are the successor's.

    The holder reads the configuration again for all, and tells the supervisor first, from which successors have it.
    """

    def __init__(
        self, config: Config, app: Any, drain: float, place: Place, channels: list[Channel], beat: Callable[[], None]
    ) -> None:
        super().__init__(config, app, drain)
        self._place = place
        self._channels = channels
        self._beat = beat
        self._retiring = False
        self._arriving: set[asyncio.Task[Any]] = set()
        self._up = Upward(place.up)
        self._in_force: dict[Channel, int] = {}  # the number of the configuration there
        self._more = asyncio.Event()  # one of them has changed

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(RETIRE, self._retire)
        loop.add_reader(self._place.life, self._orphaned)
        for channel in self._channels:
            channel.listen(self._taker(channel), self._app.used, self._told(channel))
        if self._place.holder:
            self._app.reloading.spread = self._spread
            self._app.reloading.refused = self._refused
            self._tell_all(self._app.reloading.loaded)  # the one before may have died in the middle of that
        self._signal(READY)

    def _signal(self, number: int) -> None:
        if os.getppid() == self._place.supervisor:  # else it has died, and its place is somebody else's
            os.kill(self._place.supervisor, number)

    def _reloads(self) -> None:
        if self._place.holder:  # the others have it from there
            super()._reloads()

    async def _spread(self, loaded: Loaded) -> None:
        pickled = pickle.dumps(loaded)
        while not self._up.loaded(pickled):  # noqa: ASYNC110  the supervisor tells of room when it has looked
            await asyncio.sleep(0.01)
        self._signal(TOLD)
        self._tell_all(loaded)
        try:
            async with asyncio.timeout(IN_FORCE):
                while any(self._in_force.get(channel, -1) < loaded.number for channel in self._channels):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            log.warning("not all workers have the configuration yet")

    def _tell_all(self, loaded: Loaded) -> None:
        pickled = pickle.dumps(loaded)
        for channel in self._channels:
            if not channel.tell_loaded(pickled):
                log.warning("a worker is too busy to be told of the configuration")

    def _refused(self, reason: str) -> None:
        self._up.refused(reason)
        self._signal(TOLD)

    def _told(self, channel: Channel) -> Callable[[bytes], None]:
        """What is said of a configuration at that channel: to the holder, that it is in force."""

        def in_force(number: bytes) -> None:
            self._in_force[channel] = int(number)
            self._more.set()

        def given(pickled: bytes) -> None:
            task = asyncio.get_running_loop().create_task(self._take(channel, pickled))
            self._arriving.add(task)
            task.add_done_callback(self._arrived)

        return in_force if self._place.holder else given

    async def _take(self, channel: Channel, pickled: bytes) -> None:
        await self._app.reloading.take(pickle.loads(pickled))  # noqa: S301 - see channel.py
        channel.told_loaded(self._app.reloading.loaded.number)

    def _taker(self, channel: Channel) -> Callable[[socket.socket, bytes], None]:
        """What serves a connection from that channel. The holder gives it back there."""

        def taken(connection: socket.socket, data: bytes) -> None:
            connection.setblocking(False)
            loop = asyncio.get_running_loop()
            task = loop.create_task(loop.connect_accepted_socket(lambda: self._protocol(channel, data), connection))
            self._arriving.add(task)
            task.add_done_callback(self._arrived)

        return taken

    def _protocol(self, channel: Channel, data: bytes) -> HandingProtocol:
        make: Callable[..., HandingProtocol] = self.config.http_protocol_class  # type: ignore[assignment]
        protocol = make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        protocol.came(data, channel if self._place.holder else None)
        return protocol

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        self._arriving.discard(task)
        if not task.cancelled():
            task.exception()  # a client that has gone meanwhile

    async def on_tick(self, counter: int) -> bool:
        if not self._place.holder and counter % 10 == 0:
            self._channels[0].tell_used(self._app.taken_use())
        if counter % 10 == 0:
            self._beat()
        return await super().on_tick(counter)

    def _orphaned(self) -> None:
        """The supervisor has died."""
        asyncio.get_running_loop().remove_reader(self._place.life)
        self.handle_exit(signal.SIGTERM, None)

    def _retire(self) -> None:
        self._retiring = self.should_exit = self._readiness.ending = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._retiring and not self._readiness.draining:
            await self._make_room()
        await super().shutdown(sockets)

    async def _make_room(self) -> None:
        for server in self.servers:
            server.close()
        for channel in self._channels:
            channel.deafen()
        if self._arriving:
            await asyncio.wait(self._arriving)
        for connection in list(self.server_state.connections):
            if isinstance(connection, HandingProtocol):
                connection.retire(self._channels[0])
