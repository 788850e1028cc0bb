"""The product under virtual time: the real engine, client and stores, opened, killed, searched for leftovers."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import itertools
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

from mirror.documents import Documents
from mirror.engine import Engine
from mirror.evict import Limits
from mirror.fills import Fills
from mirror.model import Headers, Mirror, Request
from mirror.operations import Around, Operations
from mirror.origin import Origin, OriginSettings
from mirror.outside import Outside
from mirror.reply import Reply
from mirror.settings import FillSettings
from mirror.signatures import Gpgv
from mirror.stores import open_stores
from mirror.stores.files import taken
from tests.model.upstreams import HOSTS, KEEP, Upstreams
from tests.model.virtual import VirtualLoop

ROOM = 1_500_000
"""Bytes for blobs and partials: less than all versions of all files together."""

FILL = FillSettings(ring=100_000, soon=100_000, max_segments=3, retries=2, finish=50_000, linger=1.0)
ABOVE = 64 << 20


class House:
    """Everything below `home`; `wall` is the time of the loop on another scale, plus `step`."""

    def __init__(self, loop: VirtualLoop, home: Path) -> None:
        self.loop, self.home, self.step, self.full = loop, home, 0.0, False
        self.path = home / "cache-0"
        self._lives = 0
        self.upstreams = Upstreams(self.wall)
        urls = tuple(f"http://{host}" for host in HOSTS)
        self.mirror = Mirror("o", "http", urls, grace=0.0, keep=KEEP)
        self._pwritten, self._ids = os.pwrite, itertools.count(1)
        self._patches = [
            mock.patch("os.pwrite", self._pwrite),
            mock.patch(
                "time.monotonic", loop.time
            ),  # how long something takes must not count, or no run is like another
            mock.patch("secrets.token_hex", self._id),
        ]
        for patch in self._patches:
            patch.start()

    def wall(self) -> float:
        return 1_800_000_000.0 + self.loop.time() + self.step

    def _id(self, count: int) -> str:
        return hashlib.sha256(b"%d" % next(self._ids)).hexdigest()[: 2 * count]

    def _pwrite(self, fd: int, run: bytes, offset: int) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._pwritten(fd, run, offset)

    async def start(self) -> None:
        stores = self.stores = open_stores(self.path, Limits(ABOVE), "none")
        await stores.start()
        self.store, self.index, self.room = stores.store, stores.index, stores.room
        clock = self.loop.time
        self.client = Origin(
            OriginSettings(retries=1), transport=self.upstreams, wall=self.wall, random=lambda: 1.0, clock=clock
        )
        await self.client.open()
        outside = Outside(self.client, self.store, self.index, self.wall, stores.changes)
        self.fills = Fills(outside, FILL)
        self.engine = Engine(outside, self.fills, stores.facts, Documents(), Gpgv())
        around = Around(self.engine, self.room, self.client.health)
        self.operations = Operations(self.store, self.index, self.fills, (self.mirror,), clock=clock, around=around)
        await self.counted()
        stores.become(Limits(self.room.used - self.room.stored + ROOM), {})

    async def counted(self) -> None:
        while not (self.room.whole and self.store.purged is None):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(1)

    async def stop(self) -> None:
        await self.fills.close()
        await self.engine.close()
        await self.operations.jobs.close()
        await self.stores.close()
        await self.client.close()

    async def crash(self) -> None:
        """What a killed process leaves is what stands on disk in this moment."""
        self._lives += 1
        left = self.home / f"cache-{self._lives}"
        shutil.copytree(self.path, left, symlinks=True)
        await self.stop()
        shutil.rmtree(self.path)
        self.path = left

    async def ask(self, path: str, **fields: str) -> Reply:
        request = Request("GET", path, "", Headers.of(fields), "http://mirror.test/o")
        return await self.engine.answer(self.mirror, request)

    def end(self) -> None:
        for patch in self._patches:
            patch.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    async def quiet(self) -> None:
        """Until no download runs."""
        while fills := self.fills.running():
            await asyncio.wait([fill.task for fill in fills])
        while self.client._probes:
            await asyncio.wait(set(self.client._probes))
        while self.fills._retired:
            await asyncio.wait(set(self.fills._retired))
        await asyncio.sleep(0.1)

    async def leftovers(self) -> dict[str, Any]:
        """What ought not to be there while nothing runs; empty where all is well."""
        blobs = {file.name: _bytes(file) for file in (self.path / "blobs.v1").rglob("*") if file.is_file()}
        parts = {file.name: taken(file) for file in (self.path / "partial").glob("*.part")}
        notes = [file.name for file in (self.path / "partial").glob("*.json")]
        rows = [entry async for batch in self.index.scan() for entry in batch]
        kept = set(self.store._kept.values())
        wrong = {
            "connections": self.client.in_use,
            "answers": dict(self.upstreams.open),
            "reservations": list(self.room._reservations),
            "fills": self.fills.running(),
            "partials": sorted(set(parts) ^ kept),
            "notes": sorted({Path(name).stem for name in notes} ^ {Path(name).stem for name in kept}),
            "names": sorted(set(self.room.recency()) ^ (set(blobs) | kept)),
            "bytes": self.room.stored - sum(blobs.values()) - sum(parts.values()),
            "rows": sorted({entry.blob for entry in rows} ^ set(blobs)),
            "room": max(0, self.room.used - self.room.limits.max_size),
        }
        return {name: found for name, found in wrong.items() if found}

    def descriptors(self) -> list[str]:
        """Open files below the cache."""
        found = []
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                found.append(os.readlink(f"/proc/self/fd/{name}"))
        return [link for link in found if link.startswith(str(self.home))]


def _bytes(file: Path) -> int:
    return file.stat().st_blocks * 512
