"""What loads cost the hits of others: `python -m bench.load [--scale 1.0] [NAME...]` prints a table.

Each load runs against a server of its own, with an origin in a process of its own; hits of one hot object are measured
before it and while it runs. Sizes are those of the scorecard at scale 1, except the query strings (100,000 of a
million). Clients, server and origin share this machine's cores: where they are few, the ratio is also theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from pathlib import Path

from tests.instruments import storms
from tests.instruments.origin import origin_process
from tests.instruments.server import http_mirror, served
from tests.instruments.storms import HOT, Place, Storm, p99

SMALL = 'max_size = "14MB"\nmin_free = "1MB"\ndurability = "none"'
LARGE = 'min_free = "1MB"\ndurability = "none"'

LOADS: dict[str, tuple[Storm, int, str]] = {
    "stalled readers": (storms.stalled_readers, 1000, LARGE),
    "slowloris": (storms.slowloris, 1000, LARGE),
    "cancelled downloads": (storms.cancelled, 10_000, LARGE),
    "eviction": (storms.eviction, 200, SMALL),
    "query strings": (storms.queries, 100_000, LARGE),
    "scan": (storms.scan, 3_000, SMALL.replace("14MB", "5MB")),
    "one slow object": (storms.slow_object, 200, LARGE),
    "revalidation": (storms.revalidation, 1000, LARGE),
    "cold clients": (storms.cold, 1000, LARGE),
    "SIGTERM": (storms.sigterm, 100, LARGE),
}


async def measured(name: str, place: Place, scale: float) -> str:
    """One row."""
    storm, size, _ = LOADS[name]
    for _ in range(3):
        await place.ask(HOT)
    quiet = await p99(place, lambda: True)
    before, began = place.descriptors(), time.monotonic()
    task = asyncio.create_task(storm(place, max(10, int(size * scale))))
    loaded = await p99(place, task.done) if name != "SIGTERM" else float("nan")
    told, took = await task, time.monotonic() - began
    if name == "SIGTERM":
        return f"| {name} | {size * scale:.0f} | {quiet * 1e3:.1f} | - | - | - | - | {took:.0f} s | {told} |"
    after = await place.settled(before + 10)
    memory = place.server.memory() / 2**20
    figures = f"{quiet * 1e3:.1f} | {loaded * 1e3:.1f} | {loaded / quiet:.1f} | {memory:.0f} | {before}/{after}"
    return f"| {name} | {size * scale:.0f} | {figures} | {took:.0f} s | {told} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(LOADS))
    asked = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print("| load | count | p99 of hits quiet, ms | under load, ms | ratio | RSS, MiB | fds before/after | took | |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in asked.names or LOADS:
        with (
            tempfile.TemporaryDirectory() as folder,
            origin_process() as origin,
            served(Path(folder), http_mirror(origin.url(), LOADS[name][2])) as server,
        ):
            try:
                print(asyncio.run(measured(name, Place(server, origin), asked.scale)), flush=True)
            except (AssertionError, OSError, EOFError, TimeoutError) as exc:
                print(f"| {name} | BROKEN: {type(exc).__name__}: {exc} |", flush=True)


if __name__ == "__main__":
    main()
