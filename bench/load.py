"""What loads cost the hits of others: `python -m bench.load [--scale 1.0] [NAME...]` prints a table.

Each load runs against a server of its own, with an origin in a process of its own; hits of one hot object are measured
before it and while it runs, by a process of its own. Sizes are those of the scorecard at scale 1, except the query
strings (100,000 of a million). Where there are two cores or more, the server has one of them to itself, before and
under load: clients, origin and measurement, which share the others, are no part of what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
import time
from pathlib import Path

from tests.instruments import storms
from tests.instruments.meter import Meter
from tests.instruments.origin import origin_process
from tests.instruments.server import http_mirror, served
from tests.instruments.storms import HOT, Place, Storm

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
    quiet = await asyncio.to_thread(Meter(place.server.port, HOT).end)
    before, used, began = place.descriptors(), place.server.cpu(), time.monotonic()
    meter = Meter(place.server.port, HOT) if name != "SIGTERM" else None
    told = await storm(place, max(10, int(size * scale)))
    took, many = time.monotonic() - began, f"{size * scale:.0f}"
    if meter is None:
        return f"| {name} | {many} | {quiet.p99 * 1e3:.1f} | - | - | - | - | - | {took:.0f} s | {told} |"
    loaded, used = await asyncio.to_thread(meter.end), place.server.cpu() - used
    after, memory = await place.settled(before + 10), place.server.memory() / 2**20
    figures = f"{quiet.p99 * 1e3:.1f} | {loaded.p99 * 1e3:.1f} | {loaded.p99 / quiet.p99:.1f}"
    return (
        f"| {name} | {many} | {figures} | {memory:.0f} | {before}/{after} | {used / took:.0%} | {took:.0f} s | {told} |"
    )


def apart(server: int) -> None:
    """Give the server's process (and what it starts) a core to itself, and this one and its children the others."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for task in os.listdir(f"/proc/{server}/task"):
            os.sched_setaffinity(int(task), cores[-1:])
        os.sched_setaffinity(0, cores[:-1])


def row(name: str, folder: Path, scale: float, cores: set[int]) -> str:
    """Of the table, from a server of its own."""
    with (
        origin_process() as origin,
        served(folder, http_mirror(origin.url(), LOADS[name][2])) as server,
    ):
        os.sched_setaffinity(origin.pid, sorted(cores)[:-1] or cores)
        apart(server.pid)
        try:
            return asyncio.run(measured(name, Place(server, origin), scale))
        except (AssertionError, OSError, EOFError, TimeoutError) as exc:
            return f"| {name} | BROKEN: {type(exc).__name__}: {exc} |"
        finally:
            os.sched_setaffinity(0, cores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(LOADS))
    asked = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(
        "| load | count | p99 of hits quiet, ms | under load, ms | ratio | RSS, MiB | fds before/after | CPU | took | |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    cores = os.sched_getaffinity(0)
    # What a load has stored stays till the end: ext4 makes files slowly for minutes where it has just lost many.
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.names or LOADS:
            print(row(name, Path(folder, name.replace(" ", "-")), asked.scale, cores), flush=True)


if __name__ == "__main__":
    main()
