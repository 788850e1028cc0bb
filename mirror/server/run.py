"""Runs the application: sockets, the protocol class, an end that is finite."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import uvicorn

from mirror import certificate
from mirror.errors import ConfigError
from mirror.operations.reloading import Commit, Loaded
from mirror.server import process
from mirror.server.channel import Channel
from mirror.server.crowd import Crowd
from mirror.server.garbage import Garbage
from mirror.server.hot import Hot
from mirror.server.limits import Limits
from mirror.server.patience import sweep
from mirror.server.protocol import MirrorProtocol
from mirror.server.systemd import Notify
from mirror.settings import ServerSettings
from mirror.turnstile import Turnstile

log = logging.getLogger("mirror.server")

TICK = 0.1
"""Seconds between two looks of uvicorn's at whether it is to end."""

Pulse = Callable[[float, int], object]
"""Is told by how many seconds the event loop was late, and how many connections there are."""

BACKLOG = 4096
"""Connections that wait to be accepted, at most."""


class Config(uvicorn.Config):
    """uvicorn's settings, and what all connections share: the prepared replies, what a client may do, and, in a process
    that only reads, the way to the one that writes."""

    def __init__(
        self,
        *positional: Any,
        hot: Hot,
        limits: Limits | None = None,
        holder: Channel | None = None,
        pulse: Pulse = lambda _lag, _connections: None,
        crowd: Crowd | None = None,
        **named: Any,
    ) -> None:
        super().__init__(*positional, **named)
        self.hot = hot
        self.limits = limits or Limits()
        self.crowd = crowd or Crowd()
        self.line = Turnstile()
        self.holder = holder
        self.pulse = pulse


class Server(uvicorn.Server):
    """uvicorn, whose end is finite and in order: no new downloads, the running ones get `drain` seconds, then the rest.

    The listener stays open meanwhile, so that whoever asks for the readiness is told. SIGHUP reads the configuration
    again. `app` has `readiness` and `reloading`.
    """

    def __init__(self, config: Config, app: Any, drain: float, notify: Notify | None = None) -> None:
        super().__init__(config)
        self._hot = config.hot
        self._crowd = config.crowd
        self._app = app
        self._readiness = app.readiness
        self._drain = drain
        self._notify = notify or Notify()
        self._reload: asyncio.Task[None] | None = None
        self._again = False  # a reload was asked for while one ran
        self._hurry = False
        self._looked = 0.0
        self._pulse = config.pulse
        self._ticked = 0.0
        self._garbage = Garbage()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        process.make_room_for_descriptors()
        await super().startup(sockets)
        self._app.reloading.parts.append(self._prepare)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reloads)
        self._notify.ready("serves")

    def _prepare(self, loaded: Loaded) -> Commit:
        def commit() -> None:
            self._drain = loaded.config.server.drain
            self._crowd.most = loaded.config.server.max_connections_per_client

        return commit

    def _reloads(self) -> None:
        """SIGHUP: those that come while one is attended to are one more together."""
        self._again = True
        if self._reload is None or self._reload.done():
            self._reload = asyncio.get_running_loop().create_task(self._reloading())

    async def _reloading(self) -> None:
        while self._again:
            self._again = False
            self._notify.reloading()
            status = "serves"
            try:
                await self._app.reloading.reload()
            except ConfigError as exc:  # it is in the log
                status = f"serves by the configuration before: {exc}"
            except Exception:
                log.exception("the configuration could not be read again")
            self._notify.ready(status)

    async def on_tick(self, counter: int) -> bool:
        self._notify.lives()
        self._look(TICK)
        return await super().on_tick(counter)

    def _look(self, slept: float) -> None:
        """See how late it is, after so many seconds of sleep. Once a second: end what waits for its client in vain."""
        now = time.monotonic()
        if self._ticked:
            self._pulse(now - self._ticked - slept, len(self.server_state.connections))
        self._ticked = now
        if now - self._looked >= 1.0:
            self._looked = now
            sweep(self.server_state.connections, now)
            self._garbage.look(lambda: bool(self._answering()))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A second signal does not wait for downloads.

        uvicorn's own would leave the stores as they are then, and raise the signal again at the end: exit code -15.
        """
        self._notify.stopping()
        self._readiness.draining = True
        self._hot.close()
        self._hurry = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        deadline = time.monotonic() + self._drain
        while self._answering() and time.monotonic() < deadline and not self._hurry:
            await asyncio.sleep(TICK / 2)
            self._look(TICK / 2)
        if left := self._answering():
            log.warning("%d answers are cut off: the time to drain is over", len(left))
        for connection in left:
            connection.reset()
        await super().shutdown(sockets)

    def _answering(self) -> list[MirrorProtocol]:
        connections = list(self.server_state.connections)
        return [known for known in connections if isinstance(known, MirrorProtocol) and known.answering]


def run(app: Any, settings: ServerSettings, sockets: Sequence[socket.socket] = (), notify: Notify | None = None) -> int:
    """Serve until told to stop; the exit code. `app` as `Server` wants it; `sockets` listen already."""
    process.prepare()
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # there is no worker to be renewed
    listen = settings.listen
    where: dict[str, Any] = {"uds": str(listen.path)} if listen.path else {"host": listen.host, "port": listen.port}
    if settings.tls_cert and settings.tls_key:
        where["ssl_context_factory"] = _shown(app, certificate.Shown(settings.tls_cert, settings.tls_key))
    server = Server(
        configured(app, MirrorProtocol, crowd=Crowd(settings.max_connections_per_client), **where),
        app,
        settings.drain,
        notify,
    )
    server.run(list(sockets) or None)
    return 0 if server.started else 1


def _shown(app: Any, shown: certificate.Shown) -> Any:
    """uvicorn's way to that certificate, and to those that take its place."""

    def prepare(loaded: Loaded) -> Commit:
        server = loaded.config.server
        pair = (server.tls_cert, server.tls_key)
        return shown.prepare(*pair) if all(pair) else lambda: None  # type: ignore[arg-type]

    app.reloading.parts.append(prepare)
    return lambda config, default: shown.context


def configured(app: Any, protocol: type[MirrorProtocol], **more: Any) -> Config:
    """uvicorn's settings for that application and protocol class."""
    return Config(
        app,
        hot=Hot(),
        pulse=app.pulse,
        http=protocol,
        loop="mirror.server.loop:new",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,  # of what is left after `drain`: nothing but the ends of tasks
        backlog=BACKLOG,
        **more,
    )
