"""`/-/health` and `/-/ready`: is the process alive, and can it do its work."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import JSONResponse

REMEMBERED = 1.0
"""Seconds for which it is remembered whether the cache can be written: anybody may ask, as often as he likes."""


class Readiness:
    """What must hold before this server should be asked for anything."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._probe: asyncio.Task[str] | None = None
        self._probed = 0.0
        self.started = False
        self.draining = False
        self.ending = False  # answers that would last for ever have to end, though new requests are taken

    def lasts_no_more(self) -> bool:
        """Whether answers that would last for ever have to end."""
        return self.draining or self.ending

    async def checks(self) -> dict[str, str]:
        """Each check by name: "ok", or what is wrong."""
        return {
            "started": "ok" if self.started else "starting",
            "draining": "draining" if self.draining else "ok",
            "cache": await asyncio.shield(self._probing()),
        }

    def _probing(self) -> asyncio.Task[str]:
        """Whether a file can be written: only that shows a file system that has no files left, or turned read-only."""
        loop = asyncio.get_running_loop()
        if self._probe is None or (self._probe.done() and loop.time() - self._probed >= REMEMBERED):
            self._probe, self._probed = loop.create_task(asyncio.to_thread(self._writable)), loop.time()
        return self._probe

    def _writable(self) -> str:
        probe = self._cache / f"probe-{secrets.token_hex(4)}"
        try:
            fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, b"ready")
            finally:
                os.close(fd)
                probe.unlink()
        except OSError as exc:
            return f"cannot write: {exc.strerror or exc}"
        return "ok"


def routes(readiness: Readiness) -> APIRouter:
    """The two routes."""
    router = APIRouter(tags=["health"])

    @router.head("/health", include_in_schema=False)
    @router.get("/health")
    async def health() -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

    @router.head("/ready", include_in_schema=False)
    @router.get("/ready")
    async def ready() -> JSONResponse:
        """503 while starting, draining, or unable to write."""
        checks = await readiness.checks()
        good = all(result == "ok" for result in checks.values())
        return JSONResponse({"status": "ok" if good else "unavailable", "checks": checks}, 200 if good else 503)

    return router
