"""A hundred readers of one cold 200 MB object, with ranges, slow, leaving: what origin, clients and memory see."""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests.instruments.log import Log
from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.reader import Errand, Reading, fleet, mixture, run
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
    mixed = mixture(errand, options.mix, options.readers, options.rate)
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


async def timed(errand: Errand) -> tuple[float, Reading]:
    """When the errand began (monotonic), and what it saw."""
    await asyncio.sleep(errand.delay)
    return time.monotonic(), await run(replace(errand, delay=0.0))


def offered(log: Log, path: str, offset: int) -> float:
    """When the origin had that byte out (monotonic), by the pace of the response that carried it."""
    times = []
    for record in log.of(path):
        begin = int(record.range.removeprefix("bytes=").partition("-")[0] or 0) if record.range else 0
        if record.first_byte and record.sent and begin <= offset < begin + record.sent:
            spent = (record.finished or record.first_byte) - record.first_byte
            times.append(record.first_byte + spent * (offset - begin) / record.sent)
    return min(times, default=0.0)


def lateness(seen: list[tuple[Errand, float, Reading]], log: Log, path: str) -> list[float]:
    """Milliseconds of each reader's first byte after the moment when the origin had it out and the reader asked."""
    late = []
    for errand, begun, reading in seen:
        if reading.first_byte is None:
            continue
        first = (errand.range or "0-").partition("-")[0]
        offset = int(first) if first else SIZE - int((errand.range or "-0")[1:])
        late.append(1000 * (begun + reading.first_byte - max(begun, offered(log, path, offset))))
    return sorted(late)


async def one_round(server: Served, origin: Abroad, number: int, options: argparse.Namespace) -> None:
    """Run the fleet once and print what was seen."""
    alone = await lone(server, f"alone{number}", options)
    key = f"fleet{number}"
    path = f"/obj/{key}/{SIZE}"
    todo = errands(server, key, options)
    readings = await asyncio.gather(*(timed(errand) for errand in todo))
    seen = [(errand, begun, reading) for errand, (begun, reading) in zip(todo, readings, strict=True)]
    print(f"round {number}: {dict(Counter(reading.verdict for _, _, reading in seen))}")
    log = origin.log
    print(f"  origin: {log.requests(path)} requests, {log.sent(path) / SIZE:.3f} x the object")
    late = lateness(seen, log, path)
    p90 = late[len(late) * 9 // 10]
    middle = statistics.median(late)
    print(f"  first byte after the origin had it: median {middle:.1f} ms, p90 {p90:.1f}, most {late[-1]:.1f}")
    fast = [SIZE / r.duration for e, _, r in seen if kind(e) == "fast" and r.complete]
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
    parser.add_argument("--mix", default="whole:1,range:3,slow:3,leave:3")
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
