"""Time to the first byte of misses at a steady rate, through the mirror and nginx, and at the origin itself.

Requests go out when they are due, whatever has become of those before (an open loop): each for another object, over
kept connections, of which there are as many as it takes. The cache runs on the first core; asker and origin on the
last, the asker going before, where it may, so that it looks at the clock when a byte is there. Where a cache cannot
keep up with the rate, the time grows with each request. `--write` keeps what was found in bench/results/ttfb.json, and
makes docs/performance.md anew.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import time

import uvloop

from bench.hit.cache import Cache
from bench.hit.caches import pinned
from bench.hit.works import KIB, MIB
from bench.report import moments, page, results

SIZES = {"1 KiB": KIB, "1 MiB": MIB}
_KEPT = 16
_FRESH = "cc=max-age=86400"


class Connection(asyncio.Protocol):
    """One request at a time; `ask` gives the moment of the first byte when the body is whole."""

    _transport: asyncio.Transport
    _over: asyncio.Future[float]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def ask(self, target: str) -> asyncio.Future[float]:
        self._first, self._head, self._left = 0.0, b"", -1
        self._over = asyncio.get_running_loop().create_future()
        self._transport.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return self._over

    def data_received(self, data: bytes) -> None:
        self._first = self._first or time.perf_counter()
        if self._left < 0:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if length is None or not head.startswith(b"HTTP/1.1 200"):
                self._over.set_exception(AssertionError(head))
                return
            self._left = int(length[1])
        self._left -= len(data)
        if self._left == 0:
            self._over.set_result(self._first)

    def connection_lost(self, exc: Exception | None) -> None:
        if hasattr(self, "_over") and not self._over.done():
            self._over.set_exception(exc or ConnectionError("closed within an answer"))

    def close(self) -> None:
        self._transport.close()


async def paced(cache: Cache, size: int, seed: str, rate: float, count: int) -> tuple[list[float], float]:
    """Milliseconds from each request to its first byte, sorted; and how many bodies came in a second."""
    loop = asyncio.get_running_loop()

    async def opened() -> Connection:
        return (await loop.create_connection(Connection, "127.0.0.1", cache.port))[1]

    def target(number: int) -> str:
        return f"{cache.objects}/obj/{seed}-{number}/{size}?{_FRESH}"

    idle = [await opened() for _ in range(_KEPT)]
    for number, connection in enumerate(idle, 1):
        await connection.ask(target(-number))
    start = loop.time() + 0.1

    async def one(number: int) -> float:
        await asyncio.sleep(start + number / rate - loop.time())
        asked = time.perf_counter()
        connection = idle.pop() if idle else await opened()
        first = await connection.ask(target(number))
        idle.append(connection)
        return 1000 * (first - asked)

    try:
        seen = sorted(await asyncio.gather(*(one(number) for number in range(count))))
        return seen, count / (loop.time() - start)
    finally:
        for connection in idle:
            connection.close()


def rounds(ways: list[Cache], options: argparse.Namespace) -> dict[str, dict[str, list[list[float]]]]:
    """Size -> way -> median, 99th percentile, greatest (ms) and answers per second, of each round."""
    found: dict[str, dict[str, list[list[float]]]] = {name: {} for name in SIZES}
    for turn in range(options.rounds):
        for name, size in SIZES.items():
            for way in ways if turn % 2 == 0 else reversed(ways):
                count = int(options.rate * options.seconds)
                seen, speed = uvloop.run(paced(way, size, f"{way.name}{turn}", options.rate, count))
                cut = [moments.share(seen, part) for part in (0.5, 0.99, 1.0)]
                found[name].setdefault(way.name, []).append([*cut, speed])
                shown = " ".join(f"{each:9.2f} ms" for each in cut)
                print(f"{turn + 1} {name} {way.name:8} {shown} {speed:8.0f} /s", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200, help="requests per second")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--caches", default="mirror,nginx")
    parser.add_argument("--write", action="store_true", help=f"keep the results, write {page.PAGE}")
    options = parser.parse_args()
    with pinned(options.caches.split(",")) as (port, caches):
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        sizes = rounds([Cache("direct", port, ()), *caches], options)
    found = {"rounds": options.rounds, "rate": options.rate, "seconds": options.seconds, "sizes": sizes}
    print("", *moments.section(found), sep="\n")
    if options.write:
        results.save("ttfb", found)
        page.write()


if __name__ == "__main__":
    main()
