"""One process of several that serve together: its sockets, its channels to the others, and how it makes room for a
successor without closing a connection."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mirror.server.channel import Channel
from mirror.server.handing import FrontProtocol, HandingProtocol
from mirror.server.run import Config, Server, configured
from mirror.settings import ServerSettings

READY = signal.SIGRTMIN
"""Tells the supervisor that the process that sends it serves. Signals of this kind do not merge."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker serves at, and what outlives it: `listeners`, and ends of channels (a front has one, which leads to
    the holder; the holder has one to each front). `life` has nothing to be read while there is a supervisor."""

    number: int
    listeners: tuple[socket.socket, ...]
    ends: tuple[socket.socket, ...]
    life: int

    @property
    def holder(self) -> bool:
        """Whether this is the place of the one that holds the cache's lease."""
        return self.number == 0


def work(app: Any, settings: ServerSettings, place: Place) -> int:
    """Serve at that place until told to stop; the exit code."""
    channels = [Channel(end) for end in place.ends]
    protocol, way = (HandingProtocol, None) if place.holder else (FrontProtocol, channels[0])
    config = configured(app, protocol, holder=way)
    server = Worker(config, app, settings.drain, place, channels)
    server.run(list(place.listeners))
    return 0 if server.started else 1


class Worker(Server):
    """A server that gives its place to a successor on SIGHUP: who is being answered is answered to the end, and goes on
    elsewhere then; who rests does at once. The listeners' queues are the successor's."""

    def __init__(self, config: Config, app: Any, drain: float, place: Place, channels: list[Channel]) -> None:
        super().__init__(config, app.readiness, drain)
        self._app = app
        self._place = place
        self._channels = channels
        self._retiring = False
        self._arriving: set[asyncio.Task[Any]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._retire)
        loop.add_reader(self._place.life, self._orphaned)
        for channel in self._channels:
            channel.listen(self._taker(channel), self._app.used)
        os.kill(os.getppid(), READY)

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
