"""Throws changed input at one parser (`scripts/bench fuzz packument --seconds 600`): by atheris, or by itself."""

from __future__ import annotations

import argparse
import random
import time
import warnings

from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

LONGEST = 2.0  # seconds of processor time that one input may take


def changed(target: Target, dice: random.Random) -> bytes:
    """A seed with pieces of it gone, doubled, or replaced by words and noise."""
    given = dice.choice(target.seeds)
    for _ in range(dice.randint(1, 8)):
        at, gone = dice.randint(0, len(given)), dice.choice((0, 0, 1, 4, 30))
        new = dice.choice((*target.words, *target.seeds, dice.randbytes(dice.randint(0, 4))))
        given = given[:at] + new * dice.choice((1, 1, 1, 2, 200)) + given[at + gone :]
    return given


def by_itself(target: Target, seconds: float, seed: int) -> tuple[int, dict[str, bytes]]:
    """How many inputs were tried, and one for each kind of finding."""
    dice, until, tried, found = random.Random(seed), time.monotonic() + seconds, 0, {}
    while time.monotonic() < until:
        given, began = changed(target, dice), time.process_time()
        try:
            target(given)
        except Exception as exc:
            found.setdefault(f"{type(exc).__name__}: {str(exc)[:80]}", given)
        if time.process_time() - began > LONGEST:
            found.setdefault("slow", given)
        tried += 1
    return tried, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="guided by coverage; needs the package atheris")
    told = parser.parse_args()
    warnings.simplefilter("ignore")
    if told.atheris:
        import atheris

        atheris.instrument_all()
        atheris.Setup(["fuzz", f"-max_total_time={int(told.seconds)}"], TARGETS[told.target])
        atheris.Fuzz()
        return
    tried, found = by_itself(TARGETS[told.target], told.seconds, told.seed)
    print(f"{told.target}: {tried} inputs, {len(found)} findings")
    for kind, given in found.items():
        print(f"  {kind}: {given[:2000]!r}")


if __name__ == "__main__":
    main()
