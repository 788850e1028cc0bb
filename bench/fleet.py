"""A hundred readers of one cold 200 MB object, with ranges, slow, leaving: what origin, clients and memory see."""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.reader import Errand, fleet, mixture
from tests.instruments.server import Served, http_mirror, served

MB = 1_000_000
SIZE = 200 * MB
FRESH = "cc=max-age=86400"


def address(server: Served, key: str, options: argparse.Namespace) -> str:
    """Where the object is; the origin sends it at the given rate per connection."""
    return server.url(f"/o/obj/{key}/{SIZE}?{FRESH}&rate={int(options.origin_rate)}")


def errands(server: Served, key: str, options: argparse.Namespace) -> list[Errand]:
    """A third with random ranges, a third slow, a third leaving, at random times; some simply fast among all."""
    errand = Errand(address(server, key, options), key, SIZE, patience=60.0)
    dice = random.Random(key)
    mixed = mixture(errand, "whole:1,range:3,slow:3,leave:3", options.readers, options.rate)
    return [replace(one, delay=dice.uniform(0, options.spread)) for one in mixed]


def kind(errand: Errand) -> str:
    """What sort of reader this is."""
    if errand.range:
        return "range"
    if errand.rate:
        return "slow"
    return "leave" if errand.leave_after is not None else "fast"


async def lone(server: Served, key: str, options: argparse.Namespace) -> float:
    """Bytes per second of one reader of a cold object, alone."""
    tally = await fleet(1, [Errand(address(server, key, options), key, SIZE)])
    assert tally.count("ok") == 1, tally.summary()
    return SIZE / tally.readings[0].duration


async def one_round(server: Served, origin: Abroad, number: int, options: argparse.Namespace) -> None:
    """Run the fleet once and print what was seen."""
    alone = await lone(server, f"alone{number}", options)
    key = f"fleet{number}"
    path = f"/obj/{key}/{SIZE}"
    todo = errands(server, key, options)
    tally = await fleet(len(todo), todo)
    seen = list(zip(todo, tally.readings, strict=True))
    verdicts = {verdict: tally.count(verdict) for verdict in ("ok", "left", "truncated", "refused", "corrupt")}
    print(f"round {number}: {verdicts}")
    print(f"  origin: {origin.requests(path)} requests, {origin.sent(path) / SIZE:.3f} x the object")
    for name in ("fast", "range", "slow", "leave"):
        first = sorted(1000 * r.first_byte for e, r in seen if kind(e) == name and r.first_byte is not None)
        if first:
            print(f"  first byte, {name:5}: median {statistics.median(first):6.1f} ms, most {first[-1]:6.1f} ms")
    fast = [SIZE / r.duration for e, r in seen if kind(e) == "fast" and r.complete]
    if fast:
        print(f"  fast readers: {statistics.median(fast) / MB:.0f} MB/s, alone {alone / MB:.0f} MB/s")
    print(f"  server: {server.cpu():.1f} s of CPU")
    print(f"  memory: {server.peak() / MB:.0f} MB at most")


async def main() -> None:
    """Parse the options, start origin and server, run the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--spread", type=float, default=3.0, help="seconds over which the readers begin")
    parser.add_argument("--rate", type=float, default=5e6, help="bytes per second of the slow ones")
    parser.add_argument("--origin-rate", type=float, default=20e6, help="bytes per second of one connection")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        origin_process() as origin,
        served(Path(folder), http_mirror(origin.url())) as server,
    ):
        for number in range(options.rounds):
            await one_round(server, origin, number, options)


if __name__ == "__main__":
    asyncio.run(main())
