"""What hits and misses cost, as tables, ratios and goals; `found` is what bench/hits.py measured."""

from __future__ import annotations

import statistics
from typing import Any

from bench.hit.works import NAIVE, WORKS

Goal = tuple[str, str, bool]  # what should be, what was measured, whether that is so
CACHES = ["floor", "mirror", "nginx", "Squid", "Varnish", "naive"]


def ratio(of: dict[str, list[list[float]]], one: str, other: str) -> float | None:
    """The median, over the rounds, of how many times the CPU of the other the one took; None where one is missing."""
    pairs = list(zip(of.get(one, []), of.get(other, []), strict=False))
    return statistics.median(a[0] / b[0] for a, b in pairs) if pairs else None


def goals(found: dict[str, Any]) -> list[Goal]:
    """The goals of the works that were measured."""
    made = []
    for work in WORKS:
        samples = found["works"].get(work.name, {})
        against = ratio(samples, "mirror", "nginx")
        if work.goal and against is not None:
            floor = ratio(samples, "floor", "nginx")
            seen = f"{against:.2f} x" + (f" (floor {floor:.2f} x)" if floor is not None else "")
            made.append((f"{work.name}: CPU at most {work.goal} x nginx's", seen, against <= work.goal))
        cheaper = ratio(samples, "naive", "mirror") if work.kind == "miss" and work.goal == 4.0 else None
        if cheaper is not None:
            text = f"{work.name}: at least {NAIVE:.0f} x cheaper than the naive proxy"
            made.append((text, f"{cheaper:.1f} x", cheaper >= NAIVE))
    return made


def section(found: dict[str, Any]) -> list[str]:
    """Both tables, and the memory."""
    memory = ", ".join(f"{name} {size / 1e6:,.0f} MB" for name, size in found["memory"].items())
    return [
        "Microseconds of CPU (user and system, whole process tree) for each request, medians of "
        f"{found['rounds']} rounds; the last columns are medians of the ratios within a round.",
        "",
        *_table(found, 0),
        "",
        "Requests per second of the same runs. One core serves; where no connections are named, one request waits for "
        "the other:",
        "",
        *_table(found, 1),
        "",
        f"Memory at the end of the run (resident; of several processes: PSS): {memory}.",
    ]


def _table(found: dict[str, Any], column: int) -> list[str]:
    """`column` 0: CPU, with ratios; 1: requests per second."""
    works = found["works"]
    caches = [cache for cache in CACHES if any(cache in samples for samples in works.values())]
    extra = [] if column else ["mirror / nginx", "mirror / floor"]
    lines = [f"| work | {' | '.join(caches + extra)} |", "|---|" + "---:|" * len(caches + extra)]
    for name, samples in works.items():
        cells = [_number(statistics.median(s[column] for s in samples[c])) if c in samples else "" for c in caches]
        ratios = [ratio(samples, "mirror", other) for other in ("nginx", "floor")] if not column else []
        cells += ["" if each is None else f"{each:.2f}" for each in ratios]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
