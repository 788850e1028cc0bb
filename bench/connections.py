"""A thousand idle connections and a hundred busy ones at once: what the process tree has in memory, at most.

Half of the busy ones ask for small stored objects in turn, the others read 200 MB slowly: one half of these an object
that is stored, one half of them one that is still being fetched. At the end each idle connection has to answer again.
`--write` keeps what was found in bench/results/connections.json, and makes docs/performance.md anew.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from contextlib import ExitStack

from bench.hit.ask import Asker
from bench.hit.cache import Cache
from bench.hit.caches import pinned
from bench.hit.works import KIB
from bench.report import capacity, page, results
from tests.instruments.reader import Errand, Reading, run

LARGE = 200_000_000
RATE = 1_000_000
_FRESH = "cc=max-age=86400"


def target(cache: Cache, seed: str, size: int) -> str:
    return f"{cache.objects}/obj/{seed}/{size}?{_FRESH}"


async def slow(cache: Cache, seed: str, seconds: float) -> Reading:
    """Reads for so long, looks at every byte, and leaves."""
    url = f"http://127.0.0.1:{cache.port}{target(cache, seed, LARGE)}"
    return await run(Errand(url, seed, LARGE, rate=RATE, leave_after=int(RATE * seconds)))


async def asking(cache: Cache, until: float) -> int:
    """Hits of 1 and 20 KiB in turn, one after the other on one connection; how many."""
    reader, writer = await asyncio.open_connection("127.0.0.1", cache.port)
    done = 0
    for size in itertools.cycle((KIB, 20 * KIB)):
        if time.monotonic() > until:
            break
        writer.write(f"GET {target(cache, 'small', size)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), (cache.name, head)
        await reader.readexactly(size)
        done += 1
    writer.close()
    return done


async def most(cache: Cache, until: float) -> int:
    """The most bytes in memory, looked at five times a second."""
    seen = cache.memory()
    while time.monotonic() < until:
        seen = max(seen, cache.memory())
        await asyncio.sleep(0.2)
    return seen


async def busy(cache: Cache, count: int, seconds: float) -> tuple[int, int]:
    """The most memory while so many are busy, and how many hits were answered."""
    until = time.monotonic() + seconds
    slowly = [slow(cache, "stored" if number % 2 else f"cold{count}", seconds) for number in range(count // 2)]
    quickly = [asking(cache, until) for _ in range(count - count // 2)]
    memory, hits, readings = await asyncio.gather(most(cache, until), asyncio.gather(*quickly), asyncio.gather(*slowly))
    wrong = [reading for reading in readings if reading.verdict != "left"]
    assert not wrong, (cache.name, wrong[0])
    return memory, sum(hits)


def measured(cache: Cache, options: argparse.Namespace) -> dict[str, int]:
    """Bytes in memory: at the start, with all idle ones, with the busy ones too."""
    start = cache.memory()
    with ExitStack() as stack:
        stored = stack.enter_context(Asker(cache))
        for seed, size in (("small", KIB), ("small", 20 * KIB), ("stored", LARGE)):
            stored.ask(target(cache, seed, size))
        idle = [stack.enter_context(Asker(cache)) for _ in range(options.idle)]
        for each in idle:
            each.ask(target(cache, "small", KIB))
        resting = cache.memory()
        working, hits = asyncio.run(busy(cache, options.busy, options.seconds))
        for each in idle:
            each.ask(target(cache, "small", KIB))
    return {"start": start, "idle": resting, "busy": working, "hits": hits}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--busy", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--caches", default="mirror,nginx,squid,varnish")
    parser.add_argument("--write", action="store_true", help=f"keep the results, write {page.PAGE}")
    options = parser.parse_args()
    memory = {}
    with pinned(options.caches.split(",")) as (_, caches):
        for cache in caches:
            memory[cache.name] = measured(cache, options)
            print(cache.name, memory[cache.name], flush=True)
    found = {"idle": options.idle, "busy": options.busy, "seconds": options.seconds, "memory": memory}
    print("", *capacity.connections(found), sep="\n")
    if options.write:
        results.save("connections", found)
        page.write()


if __name__ == "__main__":
    main()
