"""Runs the application: sockets, the protocol class, an end that is finite."""

from __future__ import annotations

import logging
import resource
import sys
from types import FrameType
from typing import Any

import uvicorn

from mirror.server.protocol import MirrorProtocol
from mirror.settings import ServerSettings


class Server(uvicorn.Server):
    """uvicorn, telling the application that it drains before it stops accepting."""

    def __init__(self, config: uvicorn.Config, readiness: Any) -> None:
        super().__init__(config)
        self._readiness = readiness

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._readiness.draining = True
        super().handle_exit(sig, frame)


def run(app: Any, settings: ServerSettings) -> int:
    """Serve until told to stop; the exit code. `app` has `readiness`."""
    _raise_descriptors()
    listen = settings.listen
    where: dict[str, Any] = {"uds": str(listen.path)} if listen.path else {"host": listen.host, "port": listen.port}
    config = uvicorn.Config(
        app,
        http=MirrorProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=max(1, int(settings.drain)),
        backlog=4096,
        **where,
    )
    server = Server(config, app.readiness)
    server.run()
    return 0 if server.started else 1


def _raise_descriptors() -> None:
    """As many descriptors as the system lets us have: each connection and each open body takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def log_to_stderr(level: str = "info") -> None:
    """One line per event, with time and level."""
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
    )
    for noisy in ("httpx", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
