"""What tests stand on: a World (engine, real disk store, an origin on a real socket, a hand-wound clock)."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from mirror.changes import Changes
from mirror.documents import Documents
from mirror.engine import Engine
from mirror.errors import StoreError
from mirror.evict import Limits, Room, evict
from mirror.fills import Fills
from mirror.model import Entry, Headers, Mirror, Request
from mirror.operations import Around, Operations
from mirror.origin import Origin as Client
from mirror.origin import OriginSettings
from mirror.outside import Outside
from mirror.ports import Hop, Upload
from mirror.reply import Reply
from mirror.settings import FillSettings
from mirror.signatures import Gpgv
from mirror.stores.disk import DiskStore
from mirror.stores.memory import MemoryFacts, MemoryIndex
from tests.instruments import bodies
from tests.instruments.clock import Clock, eventually
from tests.instruments.origin import Origin

pytest_plugins = ["tests.reliability.plugin"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what runs behind it; programs inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

EXAMPLES = int(os.environ.get("MIRROR_TEST_EXAMPLES", "50"))
"""Of each property that does not say how many: a thousand once in a while find what fifty each day do not."""
settings.register_profile("default", deadline=None, max_examples=EXAMPLES)
settings.load_profile("default")


def pytest_collection_finish() -> None:
    """What is there before the first test is never searched for garbage: many tests have all of it collected."""
    gc.collect()
    gc.freeze()


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """With MIRROR_TEST_ALL=1 a skip is a failure: on CI every test has what it needs, or is broken."""
    if os.environ.get("MIRROR_TEST_ALL") == "1" and call.excinfo and call.excinfo.errisinstance(pytest.skip.Exception):
        raise AssertionError(f"skipped under MIRROR_TEST_ALL=1: {call.excinfo.value}")


@dataclass
class Got:
    """What a client of a World holds: the reply, the bytes so far, and what broke the body off (None: whole)."""

    reply: Reply
    body: bytes = b""
    broke: BaseException | None = None

    @property
    def outcome(self) -> str:
        return str(self.reply.outcome)


async def take(reply: Reply, start: int = 0, end: int | None = None, got: Got | None = None) -> Got:
    """Read a reply's bytes `[start, end)` and close its source."""
    got = got or Got(reply)
    parts = []
    try:
        async with aclosing(reply.source.read(start, end if end is not None else reply.size)) as pieces:
            async for piece in pieces:
                new = [bytes(piece)] if isinstance(piece, bytes | memoryview) else [c async for c in piece.chunks()]
                parts += new
                got.body = b"".join(parts) if len(parts) < 2 else got.body
    except Exception as exc:
        got.broke = exc
    finally:
        await reply.source.close()
    got.body = b"".join(parts)
    return got


class Halt:
    """A place where one waits until the test lets go: `reached` once somebody is there, on when `over` is set."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.over = asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.over.wait()


class Index(MemoryIndex):
    """An index in memory. `broken`: it cannot be read. The next scan, or look at an address, stops at `halt` with what
    it has read."""

    broken = False
    halt: Halt | None = None

    async def under(self, address: str) -> list[Entry]:
        if self.broken:
            raise StoreError("the index cannot be read: locked")
        read = await super().under(address)
        await self._halted()
        return read

    async def scan(self, prefix: str = "") -> AsyncIterator[list[Entry]]:
        if self.broken:
            raise StoreError("the index cannot be read: locked")
        read = [batch async for batch in super().scan(prefix)]
        await self._halted()
        for batch in read:
            yield batch

    async def _halted(self) -> None:
        halt, self.halt = self.halt, None
        if halt is not None:
            await halt()


@dataclass
class World:
    """An engine over a real disk store, and an origin with faults on a real socket."""

    path: Path
    clock: Clock = field(default_factory=lambda: Clock(float(int(time.time()))))  # the origin dates by the real one
    limits: Limits = field(default_factory=lambda: Limits(1 << 40))
    fill: FillSettings = field(default_factory=lambda: FillSettings(linger=0.01))
    speak: OriginSettings = field(default_factory=lambda: OriginSettings(retries=1))
    ecosystem: str = "http"
    changes: dict[str, Any] = field(default_factory=dict)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[World]:
        async with Origin() as self.origin:
            await self.start()
            try:
                yield self
            finally:
                await self.stop()

    async def start(self) -> None:
        """Open the parts; after `stop` or `crash` again, on the same disk."""
        self.room = Room(self.limits, free=lambda _: 1 << 50)
        changes = Changes()
        self.store = DiskStore(self.path, self.room, "none", changes=changes)
        self.index = Index(changes)
        self.facts = MemoryFacts(changes)
        await self.store.start()
        await self.store.count()
        self.room.evict = lambda name: evict(self.store, self.index, name)
        self.client = Client(self.speak, wall=self.clock, clock=self.clock)
        await self.client.open()
        outside = Outside(self.client, self.store, self.index, self.clock, changes)
        self.fills = Fills(outside, self.fill)
        self.engine = Engine(outside, self.fills, self.facts, Documents(), Gpgv())
        upstream = self.origin.url("").rstrip("/")
        self.mirror = Mirror("o", self.ecosystem, (upstream,), grace=0.0, keep=0.0)
        self.around = Around(self.engine, self.room, self.client.health)
        self.operations = Operations(self.store, self.index, self.fills, (self.mirror,), around=self.around)

    async def stop(self) -> None:
        await self.fills.close()
        await self.engine.close()
        await self.store.close()
        await self.client.close()

    async def ask(self, path: str, query: str = "cc=max-age=3600", *, method: str = "GET", **fields: str) -> Reply:
        headers = Headers.of({name.replace("_", "-"): value for name, value in fields.items()})
        return await self.engine.answer(self.mirror, Request(method, path, query, headers, "http://mirror.test/o"))

    async def get(self, path: str, query: str = "cc=max-age=3600", **fields: str) -> Got:
        """The whole answer to a GET."""
        return await take(await self.ask(path, query, **fields))

    async def part(self, path: str, start: int, end: int, query: str = "cc=max-age=3600") -> Got:
        """The answer to a GET with that range."""
        return await take(await self.ask(path, query, range=f"bytes={start}-{end - 1}"), start, end)

    async def settled(self) -> None:
        """Until no fill runs."""
        while fills := self.fills.running():
            await asyncio.wait([fill.task for fill in fills])

    async def joined(self, key: str, count: int) -> None:
        """Until so many wait for that key's fill."""
        await eventually(lambda: (fill := self.fills.get(key)) and len(fill._followers) == count)

    def leftovers(self) -> list[str]:
        """Files of partials."""
        return sorted(path.name for path in (self.path / "partial").iterdir())

    def blobs(self) -> list[Path]:
        """Files of blobs."""
        return sorted(path for path in (self.path / "blobs.v1").rglob("*") if path.is_file())


async def send(world: World, method: str, path: str, body: list[bytes] | None = None, **fields: str) -> Reply:
    """The reply to a request with this body; its length is announced."""

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in body or ():
            yield chunk

    upload = Upload(sum(map(len, body)), chunks()) if body is not None else None
    headers = Headers.of({name.replace("_", "-"): value for name, value in fields.items()})
    request = Request(method, path, "", headers, "http://mirror.test/o")
    return await world.engine.answer(world.mirror, request, Hop(upload))


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[..., World]:
    """Makes worlds in this test's folder."""
    return lambda **options: World(tmp_path / "cache", **options)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path / "cache").open() as opened:
        yield opened


def right(got: Got, seed: str, size: int, start: int = 0) -> bool:
    """True when these are exactly the bytes `[start, start + size)` of the object."""
    return got.broke is None and got.body == bodies.body(seed, start, size)
