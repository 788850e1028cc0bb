"""Times to the first byte, as a table and goals; `found` is what bench/ttfb.py measured."""

from __future__ import annotations

import statistics
from typing import Any

from bench.report.costs import Goal

MIDDLE, LATE = 1.0, 5.0
"""Milliseconds that a miss may add to the origin's own time, at the median and at the 99th percentile."""


def share(ordered: list[float], part: float) -> float:
    """The value below which that part of them stays; 1.0: the greatest."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def typical(rounds: list[list[float]]) -> list[float]:
    """Median, 99th percentile, greatest, and answers per second: each the median of all rounds."""
    return [statistics.median(each) for each in zip(*rounds, strict=True)]


def goals(found: dict[str, Any]) -> list[Goal]:
    """What the mirror adds, at each size."""
    made = []
    for size, ways in found["sizes"].items():
        if "mirror" not in ways:
            continue
        added = [each - typical(ways["direct"])[0] for each in typical(ways["mirror"])]
        for name, limit, value in (("median", MIDDLE, added[0]), ("99th percentile", LATE, added[1])):
            text = f"miss {size}, {found['rate']:.0f} a second: first byte later by under {limit:.0f} ms ({name})"
            made.append((text, f"{value:.2f} ms", value < limit))
    return made


def section(found: dict[str, Any]) -> list[str]:
    """The table, with what is added to the origin's own time."""
    lines = [
        f"Milliseconds from request to first byte, {found['rate']:.0f} misses a second for {found['seconds']:.0f} s in "
        f"an open loop; medians of {found['rounds']} rounds. Added: beyond the median of those that ask the origin "
        "itself. Where fewer are answered in a second than are asked, the time says how long it went on, and no more.",
        "",
        "| miss | asked | median | 99 % | most | added, median | added, 99 % | answered a second |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for size, ways in found["sizes"].items():
        origin = typical(ways["direct"])[0]
        for way, rounds in ways.items():
            *seen, speed = typical(rounds)
            cells = [f"{each:.2f}" for each in seen]
            cells += ["", ""] if way == "direct" else [f"{each - origin:.2f}" for each in seen[:2]]
            asked = "origin" if way == "direct" else way
            lines.append(f"| {size} | {asked} | {' | '.join(cells)} | {speed:.0f} |")
    return lines
