"""What loads cost the hits of others: `python -m bench.load [--runs 5] [--scale 1.0] [NAME...]` prints a table.

Each run of a load has a server of its own, with an origin in a process of its own; hits of one hot object are measured
before it and while it runs, by a process of its own. A row shows the run whose ratio is the median, and the ratios of
all: the quiet figure itself differs by half between two runs on a machine that is not alone. Sizes are those of the
scorecard at scale 1, except the query strings (10,000 of a million) and the cold clients (200 of 1,000, with a fifth of
the bytes each). Where there are two cores or more, the server has one of them to itself, before and under load:
clients, origin and measurement, which share the others, are no part of what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
import time
from dataclasses import dataclass
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
    "query strings": (storms.queries, 10_000, LARGE),
    "scan": (storms.scan, 3_000, SMALL.replace("14MB", "5MB")),
    "one slow object": (storms.slow_object, 200, LARGE),
    "revalidation": (storms.revalidation, 1000, LARGE),
    "cold clients": (storms.cold, 200, LARGE),
    "SIGTERM": (storms.sigterm, 100, LARGE),
}


HEAD = (
    "| load | clients or requests | quiet, ms | under load, ms | ratio "
    "| MiB | descriptors | CPU | what became of it | all ratios |"
)
RULE = "|---|---|---|---|---|---|---|---|---|---|"


@dataclass(frozen=True, slots=True)
class Run:
    """Of a load. `ratio`: between the 99th percentiles under it and before it; None where they were not measured."""

    ratio: float | None
    cells: list[str]


async def measured(name: str, place: Place, scale: float) -> Run:
    """One run of it."""
    storm, size, _ = LOADS[name]
    for _ in range(3):
        await place.ask(HOT)
    quiet = await asyncio.to_thread(Meter(place.server.port, HOT).end)
    before, used, began = place.descriptors(), place.server.cpu(), time.monotonic()
    meter = Meter(place.server.port, HOT) if name != "SIGTERM" else None
    told = await storm(place, max(10, int(size * scale)))
    took = time.monotonic() - began
    many = f"{size * scale:,.0f} in {took:.0f} s"
    if meter is None:
        return Run(None, [many, f"{quiet.p99 * 1e3:.1f}", *"-----", told])
    used = place.server.cpu() - used
    loaded = await asyncio.to_thread(meter.end)
    after, memory = await place.settled(before + 10), place.server.memory() / 2**20
    ratio = loaded.p99 / quiet.p99
    figures = [f"{quiet.p99 * 1e3:.1f}", f"{loaded.p99 * 1e3:.1f}", f"{ratio:.1f}"]
    return Run(ratio, [many, *figures, f"{memory:.0f}", f"{before} / {after}", f"{used / took:.0%}", told])


def apart(server: int) -> None:
    """Give the server's process (and what it starts) a core to itself, and this one and its children the others."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for task in os.listdir(f"/proc/{server}/task"):
            os.sched_setaffinity(int(task), cores[-1:])
        os.sched_setaffinity(0, cores[:-1])


def run(name: str, folder: Path, scale: float, cores: set[int]) -> Run:
    """One, on a server of its own."""
    with (
        origin_process() as origin,
        served(folder, http_mirror(origin.url(), LOADS[name][2])) as server,
    ):
        os.sched_setaffinity(origin.pid, sorted(cores)[:-1] or cores)
        apart(server.pid)
        try:
            return asyncio.run(measured(name, Place(server, origin), scale))
        except (AssertionError, OSError, EOFError, TimeoutError) as exc:
            return Run(None, [f"BROKEN: {type(exc).__name__}: {exc}"])
        finally:
            os.sched_setaffinity(0, cores)


def row(name: str, runs: list[Run]) -> str:
    """Of the table: the first run that could not be measured, else the one of the median."""
    runs = sorted(runs, key=lambda one: one.ratio or 0)
    shown = runs[0] if runs[0].ratio is None else runs[len(runs) // 2]
    ratios = ", ".join(f"{one.ratio:.1f}" for one in runs if one.ratio is not None)
    return f"| {' | '.join([name, *shown.cells, ratios])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="of each load")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(LOADS))
    asked = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(HEAD, RULE, sep="\n")
    cores = os.sched_getaffinity(0)
    # What a load has stored stays till the end: ext4 makes files slowly for minutes where it has just lost many.
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.names or LOADS:
            places = [Path(folder, f"{name.replace(' ', '-')}-{number}") for number in range(asked.runs)]
            print(row(name, [run(name, place, asked.scale, cores) for place in places]), flush=True)


if __name__ == "__main__":
    main()
