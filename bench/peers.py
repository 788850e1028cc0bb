"""The scorecard's cheap rows against others too: `python -m bench.peers` prints a table and keeps it for
docs/reliability.md. Each cache stands before the same origin, set up as its manual says (tests/instruments/peers.py).

Nothing here is a promise of ours: those are tests. A trial says what was seen, in a few words.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.report import results
from tests.instruments import bodies
from tests.instruments.origin import origin_process
from tests.instruments.peers import missing, nginx, squid
from tests.instruments.process import Abroad
from tests.instruments.server import Served, http_mirror

LONG = "cc=max-age=86400"
LIMIT = 15.0
"""Seconds that a trial waits for one answer, or for a connection to be ended."""


@dataclass(frozen=True)
class Cache:
    """One of those that are compared; `blobs` is where its files are, None where it has none."""

    name: str
    port: int
    origin: Abroad
    prefix: str
    blobs: Path | None

    async def ask(self, target: str, fields: str = "", version: str = "1.1", take: int = -1) -> bytes:
        """All that comes for one request until the connection is ended, or `take` bytes of it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"GET {self.prefix}{target} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n"
        writer.write(head.encode())
        got = b""
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(LIMIT):
                while len(got) != take and (piece := await reader.read(1 << 16 if take < 0 else take - len(got))):
                    got += piece
        writer.transport.abort()
        return got


def _whole(got: bytes, seed: str, size: int) -> bool:
    head, _, body = got.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = _unchunked(body)
    return _status(got) == 200 and body == bodies.body(seed, 0, size)


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while (line := body.partition(b"\r\n"))[1] and (count := int(line[0], 16)):
        whole, body = whole + line[2][:count], line[2][count + 2 :]
    return whole


def _status(got: bytes) -> int:
    return int(got.split(b" ", 2)[1]) if got.startswith(b"HTTP/") else 0


async def cut_short(cache: Cache) -> str:
    """Row 3. A body that is cut, once each by its length, in chunks, and by a reset; then it is whole."""
    wrong = 0
    for fault in ("cut=50%25", "cut=50%25&chunked=1", "reset=50%25"):
        seed = "".join(letter for letter in fault if letter.isalnum())
        target = f"/obj/{seed}/300000?{LONG}&{fault}&times=1"
        await cache.ask(target)
        again = await cache.ask(target)
        wrong += "200" in str(_status(again)) and not _whole(again, seed, 300_000)
    return f"{wrong} of 3 kept and served"


async def ended_by_close(cache: Cache) -> str:
    """Row 4. A body without length whose connection ends: cut or whole, nobody can know."""
    target = f"/obj/close/200000?{LONG}&close=1&cut=50%25&times=1"
    await cache.ask(target)
    await cache.ask(target)
    return "kept" if cache.origin.requests("/obj/close/200000") == 1 else "not kept"


async def old_client(cache: Cache) -> str:
    """Row 9. HTTP/1.0 asks for what comes in chunks."""
    got = await cache.ask(f"/obj/old/50000?{LONG}&chunked=1", version="1.0")
    return "right" if _whole(got, "old", 50_000) else "wrong"


async def crowd(cache: Cache) -> str:
    """Row 11. A hundred at once ask for what is not there yet."""
    asked = [cache.ask(f"/obj/crowd/500000?{LONG}&wait=0.3") for _ in range(100)]
    right = sum(_whole(got, "crowd", 500_000) for got in await asyncio.gather(*asked))
    return f"{cache.origin.requests('/obj/crowd/500000')} fetched, {right} of 100 right"


async def follower(cache: Cache) -> str:
    """Row 12. The second client's first bytes, half a second after the first client's, of two that the fetch takes."""
    target = f"/obj/follow/2000000?{LONG}&rate=1000000"
    first = asyncio.create_task(cache.ask(target))
    await asyncio.sleep(0.5)
    began = time.perf_counter()
    await cache.ask(target, take=1000)
    took = time.perf_counter() - began
    await first
    return f"{took * 1e3:.0f} ms" if took < 0.1 else f"{took:.1f} s"


async def leaver(cache: Cache) -> str:
    """Row 13. The first client leaves after a tenth; the second one came meanwhile."""
    target = f"/obj/leave/1000000?{LONG}&rate=1000000"
    first = asyncio.create_task(cache.ask(target, take=100_000))
    await asyncio.sleep(0.05)
    second = await cache.ask(target)
    await first
    return f"{'whole' if _whole(second, 'leave', 1_000_000) else 'broken'}, {_fetches(cache, '/obj/leave/1000000')}"


async def resumed(cache: Cache) -> str:
    """Row 17. The upstream breaks off at a half, and would have the rest."""
    got = await cache.ask(f"/obj/resume/2000000?{LONG}&cut=50%25&times=1")
    return "the client gets all" if _whole(got, "resume", 2_000_000) else "the client is cut off"


async def failing(cache: Cache) -> str:
    """Row 19. One 503, then the object."""
    target = "/obj/fails/1000?status=503&times=1"
    await cache.ask(target)
    return "not kept" if _whole(await cache.ask(target), "fails", 1000) else "kept"


async def storm(cache: Cache) -> str:
    """Row 23. A hundred at once ask for what has just expired."""
    target = "/obj/storm/20000?cc=max-age=1&wait=0.2"
    await cache.ask(target)
    await asyncio.sleep(2.2)
    before = cache.origin.requests("/obj/storm/20000")
    await asyncio.gather(*(cache.ask(target) for _ in range(100)))
    return f"{cache.origin.requests('/obj/storm/20000') - before} requests"


async def half_request(cache: Cache) -> str:
    """Row 32. A request that never ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", cache.port)
    writer.write(b"GET / HTTP/1.1\r\nX: ")
    began = time.perf_counter()
    try:
        async with asyncio.timeout(LIMIT):
            await reader.read()
        return f"ended after {time.perf_counter() - began:.0f} s"
    except TimeoutError:
        return f"not ended within {LIMIT:.0f} s"
    finally:
        writer.transport.abort()


async def large_head(cache: Cache) -> str:
    """Row 33. A field of 100 KB."""
    return str(_status(await cache.ask("/obj/head/100", f"X: {'x' * 100_000}\r\n")))


async def many_ranges(cache: Cache) -> str:
    """Row 46. A thousand overlapping ranges of a stored object of 100 KB."""
    target = f"/obj/ranges/100000?{LONG}"
    await cache.ask(target)
    got = await cache.ask(target, f"Range: bytes={','.join(f'{n}-' for n in range(1000))}\r\n")
    return f"{_status(got)}, {len(got) / 100_000:.1f} x the object"


async def flipped(cache: Cache) -> str:
    """Row 6. A bit of a stored file is flipped."""
    if cache.blobs is None:
        return "in memory here"
    await cache.ask(f"/obj/flip/150001?{LONG}")
    await asyncio.sleep(0.5)
    file = next(path for path in cache.blobs.rglob("*") if path.is_file() and 150_001 <= path.stat().st_size < 160_000)
    with file.open("r+b") as body:
        body.seek(100_000)
        byte = body.read(1)[0]
        body.seek(100_000)
        body.write(bytes([byte ^ 1]))
    got = await cache.ask(f"/obj/flip/150001?{LONG}")
    return "right" if _whole(got, "flip", 150_001) else "served wrong"


def _fetches(cache: Cache, path: str) -> str:
    count = cache.origin.requests(path)
    return f"{count} fetch{'es' if count != 1 else ''}"


TRIALS: dict[int, Callable[[Cache], Awaitable[str]]] = {
    3: cut_short,
    4: ended_by_close,
    6: flipped,
    9: old_client,
    11: crowd,
    12: follower,
    13: leaver,
    17: resumed,
    19: failing,
    23: storm,
    32: half_request,
    33: large_head,
    46: many_ranges,
}


def caches(folder: Path, stack: ExitStack) -> Iterator[Cache]:
    """Each with an origin of its own."""
    for name, begin in (("nginx", nginx), ("Squid", squid)):
        if name.lower() not in missing():
            origin = stack.enter_context(origin_process())
            port = stack.enter_context(begin(folder / name, int(origin.address.rpartition(":")[2])))
            yield Cache(name, port, origin, "", folder / name / "cache" if name == "nginx" else None)
    origin = stack.enter_context(origin_process())
    server = Served(folder / "mirror", http_mirror(origin.url()))
    server.start()
    stack.callback(server.stop)
    yield Cache("mirror", server.port, origin, "/o", server.cache / "blobs.v1")


async def tried(cache: Cache) -> dict[str, str]:
    return {str(row): await trial(cache) for row, trial in TRIALS.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)  # Squid leaves root behind
        found = {cache.name: asyncio.run(tried(cache)) for cache in caches(Path(folder), stack)}
    results.save("peers", {"seen": found})
    print(f"| row | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    for row, trial in TRIALS.items():
        print(f"| {row} {trial.__name__} | {' | '.join(found[name][str(row)] for name in found)} |")


if __name__ == "__main__":
    os.umask(0o022)
    main()
