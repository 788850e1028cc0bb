"""Loads that a server has to stand, all from this machine; each says what became of it, and raises AssertionError where
a promise is broken."""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.instruments.process import Abroad
from tests.instruments.server import Served

LONG = "cc=max-age=86400"
HOT = f"/o/obj/hot/1000?{LONG}"


@dataclass
class Place:
    """The server that is stormed, the origin behind it, and what to do with it."""

    server: Served
    origin: Abroad

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.server.port, limit=1 << 16)

    async def narrow(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of whose unread bytes the system holds few, and not megabytes."""
        own = socket.socket()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        own.connect(("127.0.0.1", self.server.port))
        return await asyncio.open_connection(sock=own, limit=1 << 13)

    async def ask(self, target: str, timeout: float = 60.0) -> tuple[int, bytes]:
        """Status and body of one request on a connection of its own; the body has the announced length."""
        async with asyncio.timeout(timeout):
            reader, writer = await self.connected()
            try:
                writer.write(asking(target))
                return await answer(reader)
            finally:
                writer.close()

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.server.pid}/fd"))

    async def settled(self, descriptors: int, seconds: float = 20.0) -> int:
        """Descriptors, once there are no more than that, or so many seconds later."""
        end = time.monotonic() + seconds
        while self.descriptors() > descriptors and time.monotonic() < end:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.1)
        return self.descriptors()


def asking(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    return int(head.split(b" ")[1]), await reader.readexactly(int(fields[b"content-length"]))


Storm = Callable[[Place, int], Awaitable[str]]


async def stalled_readers(place: Place, count: int) -> str:
    """Clients ask for 5 MB each and take nothing of it."""
    target = f"/o/obj/stalled/5000000?{LONG}"
    await place.ask(target)
    before = place.server.memory()
    writers = []
    for _ in range(count):
        _, writer = await asyncio.open_connection("127.0.0.1", place.server.port, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(asking(target))
        writers.append(writer)
    await asyncio.sleep(1)
    each = (place.server.memory() - before) // count
    for writer in writers:
        writer.transport.abort()
    assert each <= 128 << 10 or each * count < 8 << 20, each
    return f"{each / 1024:.0f} KiB each"


async def slowloris(place: Place, count: int) -> str:
    """Half requests: all of them are ended within 15 seconds."""
    began = time.monotonic()
    pairs = [await place.connected() for _ in range(count)]
    for _, writer in pairs:
        writer.write(b"GET /o/x HTTP/1.1\r\nX: ")
    async with asyncio.timeout(30):
        await asyncio.gather(*(reader.read(-1) for reader, _ in pairs))
    for _, writer in pairs:
        writer.close()
    took = time.monotonic() - began
    assert took < 15 + count / 200
    return f"all ended after {took:.1f} s"


async def cancelled(place: Place, count: int) -> str:
    """Downloads of things that nobody has asked for, given up at once; the next one is good."""

    async def one(n: int) -> None:
        reader, writer = await place.connected()
        writer.write(asking(f"/o/obj/c{n}/300000?{LONG}"))
        with suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.readexactly(100)
        writer.transport.abort()

    began, clients = time.monotonic(), []
    for n in range(count):  # 10,000 in a minute
        clients.append(asyncio.create_task(one(n)))
        await asyncio.sleep(max(0.0, began + 0.006 * (n + 1) - time.monotonic()))
    await asyncio.gather(*clients)
    took = time.monotonic() - began
    assert await place.ask("/o/obj/after/1000") == (200, (await place.ask("/o/obj/after/1000"))[1])
    return f"{count} in {took:.0f} s"


async def eviction(place: Place, readers: int) -> str:
    """Slow readers of bodies that are evicted meanwhile by what others store: each gets all of its own."""
    targets = [f"/o/obj/e{n}/5000000?{LONG}" for n in range(2)]  # more than what the system holds of a connection
    for target in targets:
        await place.ask(target)

    async def read(n: int) -> bytes:
        reader, writer = await place.narrow()
        writer.write(asking(targets[n % len(targets)]))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n")[0]
        await gone.wait()
        body = await reader.readexactly(5_000_000)
        writer.close()
        return hashlib.sha256(body).digest()

    gone = asyncio.Event()
    reading = [asyncio.create_task(read(n)) for n in range(readers)]
    await asyncio.sleep(0.5)
    for n in range(30):
        await place.ask(f"/o/obj/more{n}/3000000?{LONG}")
    gone.set()
    async with asyncio.timeout(120):
        got = await asyncio.gather(*reading)
    assert len(set(got)) == len(targets)
    return f"0 of {readers} broken"


async def queries(place: Place, count: int) -> str:
    """So many query strings of one address, each asked for once, in the middle of hits."""

    async def some(first: int) -> None:
        reader, writer = await place.connected()
        for n in range(first, count, 8):
            writer.write(asking(f"/o/obj/q/50?{LONG}&x={n}"))
            status, _ = await answer(reader)
            assert status == 200
        writer.close()

    before, hot = place.server.memory(), f"/o/obj/h/2000?{LONG}"
    await place.ask(hot)
    await place.ask(hot)
    await asyncio.gather(*map(some, range(8)))
    asked = place.origin.requests("/obj/h/2000")
    await place.ask(hot)
    lost = place.origin.requests("/obj/h/2000") - asked
    assert lost == 0
    return f"{(place.server.memory() - before) / 2**20:+.0f} MiB, {place.server.on_disk() / 2**20:.0f} MiB on disk"


async def scan(place: Place, count: int) -> str:
    """Objects that are asked for once, many times what the cache (5 MB) holds; behind every tenth a hot one: between
    two requests for the same hot one lies more than the cache holds."""
    hot = [f"/o/obj/hot{n}/40000?{LONG}" for n in range(10)]
    scanned = [f"/o/obj/scanned{n}/40000?{LONG}" for n in range(count)]
    reader, writer = await place.connected()

    async def ask(target: str) -> None:
        writer.write(asking(target))
        assert (await answer(reader))[0] == 200

    def fetched() -> int:
        return sum(record.path.startswith("/obj/hot") for record in place.origin.log)

    for target in hot * 2:
        await ask(target)
    before = fetched()
    for n, target in enumerate(scanned):
        await ask(target)
        if n % 10 == 9:
            await ask(hot[n // 10 % len(hot)])
    writer.close()
    ratio = 1 - (fetched() - before) / (count // 10)
    assert ratio > 0.9, ratio
    return f"hit ratio of the hot ones {ratio:.0%}"


async def slow_object(place: Place, count: int) -> str:
    """The upstream has one object that comes slowly, for many clients; others are fast."""
    slow = [asyncio.create_task(place.ask(f"/o/obj/slow/100000?{LONG}&rate=50000")) for _ in range(count)]
    await asyncio.sleep(0.2)
    began = time.monotonic()
    for n in range(20):
        assert (await place.ask(f"/o/obj/fast{n}/100000?{LONG}"))[0] == 200
    took = (time.monotonic() - began) / 20
    assert {status for status, _ in await asyncio.gather(*slow)} == {200}
    assert place.origin.requests("/obj/slow/100000") == 1
    return f"another one takes {took * 1000:.0f} ms"


async def revalidation(place: Place, count: int) -> str:
    """All ask at once for what is not fresh any more."""
    target = "/o/obj/stale/2000?cc=max-age=1"
    await place.ask(target)
    await asyncio.sleep(2.2)
    before, began = place.origin.requests("/obj/stale/2000"), time.monotonic()
    answers = await asyncio.gather(*(place.ask(target) for _ in range(count)))
    spent = time.monotonic() - began
    assert len(set(answers)) == 1
    asked = place.origin.requests("/obj/stale/2000") - before
    assert asked <= 1 + math.ceil(spent), (asked, spent)  # a second later it is not fresh once more
    return f"{asked} conditional requests"


async def cold(place: Place, count: int, size: int = 0) -> str:
    """All ask at once for one body that is not here."""
    size = size or 100 * 1000 * count
    path = f"/obj/cold{count}/{size}"

    async def one() -> bytes:
        reader, writer = await place.connected()
        writer.write(asking(f"/o{path}?{LONG}"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n")[0]
        digest, left = hashlib.sha256(), size
        while left:
            chunk = await reader.read(min(left, 1 << 16))
            assert chunk
            digest.update(chunk)
            left -= len(chunk)
        writer.close()
        return digest.digest()

    async with asyncio.timeout(900):
        got = await asyncio.gather(*(one() for _ in range(count)))
    assert len(set(got)) == 1
    fetched = place.origin.requests(path)
    assert fetched == 1, fetched
    return f"{fetched} fetch of {size / 1e6:.0f} MB"


async def sigterm(place: Place, count: int) -> str:
    """The server is ended while downloads run: those that come to an end are whole, and the others look broken."""
    rate = "rate=100000"

    async def one(n: int) -> tuple[int, bool]:
        reader, writer = await place.connected()
        writer.write(asking(f"/o/obj/t{n}/{100_000 if n % 2 else 3_000_000}?{LONG}&{rate}"))
        try:
            await reader.readuntil(b"\r\n\r\n")
            begun.append(n)
            return n, bool(await reader.readexactly(100_000 if n % 2 else 3_000_000))
        except asyncio.IncompleteReadError:  # an end in good order before the announced length: a client sees that, too
            return n, False
        except ConnectionError:
            return n, False
        finally:
            writer.close()

    begun: list[int] = []
    tasks = [asyncio.create_task(one(n)) for n in range(count)]
    async with asyncio.timeout(60):
        while len(begun) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    began = time.monotonic()
    code = await asyncio.to_thread(place.server.stop)
    took, ended = time.monotonic() - began, await asyncio.gather(*tasks)
    assert code == 0
    assert all(whole for n, whole in ended if n % 2)
    return f"exit {code} after {took:.1f} s, {sum(whole for _, whole in ended)} of {count} whole, the others cut off"
