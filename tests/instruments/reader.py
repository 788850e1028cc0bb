"""A verifying client, and fleets of it; as a process: `python -m tests.instruments.reader fleet URL ...`."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .visit import Errand, Reading, Visit

__all__ = ["Errand", "Reading", "Tally", "fleet", "mixture", "read", "run"]


async def read(
    url: str,
    *,
    seed: int | str,
    size: int,
    range: str | None = None,  # noqa: A002  the field's own name
    rate: float | None = None,
    leave_after: int | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    patience: float = 30.0,
) -> Reading:
    """Reads `url`, which should give the object `seed` of `size` bytes. Never raises for what the server does.

    `range` is `0-99`, `100-` or `-50`; `rate` in bytes per second reads slowly, through a small receive buffer;
    `leave_after` that many body bytes it resets the connection; `patience`: seconds of silence until it gives up.
    """
    return await run(Errand(url, seed, size, range, rate, leave_after, headers, patience))


async def run(errand: Errand) -> Reading:
    """Carries out one errand, as `read`."""
    await asyncio.sleep(errand.delay)
    return await Visit(errand).make()


@dataclass(frozen=True, slots=True)
class Tally:
    """What a fleet saw: a reading for each errand, in order, and the seconds that all took."""

    readings: list[Reading]
    seconds: float

    def count(self, verdict: str) -> int:
        """How many readings have this verdict (`Reading.verdict`)."""
        return sum(reading.verdict == verdict for reading in self.readings)

    def summary(self) -> dict[str, Any]:
        """For JSON: counts of verdicts, statuses and errors, bytes, seconds, and seconds to the first byte."""
        first = sorted(reading.first_byte for reading in self.readings if reading.first_byte is not None)
        return {
            "verdicts": Counter(reading.verdict for reading in self.readings),
            "statuses": Counter(reading.status for reading in self.readings),
            "errors": Counter(reading.error for reading in self.readings if reading.error),
            "bytes": sum(reading.bytes_read for reading in self.readings),
            "seconds": self.seconds,
            "first_byte": {share: first[(len(first) - 1) * share // 100] for share in (0, 50, 99, 100) if first},
        }


async def fleet(n: int, plan: Sequence[Errand]) -> Tally:
    """Sends out `n` readers at once; reader i has errand `plan[i % len(plan)]`."""
    began = time.monotonic()
    readings = await asyncio.gather(*(run(plan[index % len(plan)]) for index in range(n)))
    return Tally(readings, time.monotonic() - began)


def mixture(errand: Errand, mix: str, n: int, rate: float = 1_000_000.0) -> list[Errand]:
    """`n` errands like `errand` in the shares that `mix` says (`whole:7,range:2,slow:1,leave:1`); the same each time.

    A slow one reads at `rate` bytes per second; ranges, and the places where readers leave, are anywhere in the object.
    """
    dice, size = random.Random(mix), errand.size
    shares = {name: int(share or 1) for name, _, share in (part.partition(":") for part in mix.split(","))}
    made = []
    for kind in dice.choices(list(shares), list(shares.values()), k=n):
        first, last = sorted((dice.randrange(size), dice.randrange(size)))
        span = dice.choice((f"{first}-{last}", f"{first}-", f"-{size - first}"))
        kinds: dict[str, dict[str, Any]] = {"whole": {}, "range": {"range": span}}
        kinds |= {"slow": {"rate": rate}, "leave": {"leave_after": first}}
        made.append(replace(errand, **kinds[kind]))
    return made


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("act", choices=["fleet"])
    parser.add_argument("url")
    parser.add_argument("--seed", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--n", type=int, default=1)
    parser.add_argument("--mix", default="whole")
    parser.add_argument("--rate", type=float, default=1_000_000.0, help="of the slow ones, bytes per second")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds of silence until a reader gives up")
    asked = parser.parse_args()
    errand = Errand(asked.url, asked.seed, asked.size, patience=asked.patience)
    tally = asyncio.run(fleet(asked.n, mixture(errand, asked.mix, asked.n, asked.rate)))
    print(json.dumps(tally.summary() | {"cpu": time.process_time()}))


if __name__ == "__main__":
    _main()
