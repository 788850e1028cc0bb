"""The picture of docs/performance.md: CPU per request as a multiple of nginx's, a row for each work, on a log scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.hit.works import WORKS
from bench.report.costs import CACHES, ratio

LEFT, RIGHT, TOP, STEP, WIDTH = 240, 60, 64, 26, 860
COLORS = {"mirror": "#1f77b4", "Squid": "#d62728", "Varnish": "#2ca02c", "naive": "#9467bd", "floor": "#8c8c8c"}
TICKS = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)

# No colour for text in a picture that a page includes: it is the page's in neither theme, hence the media query.
_STYLE = """<style>
  svg { color: #24292f; font: 12px sans-serif } text { fill: currentColor } .quiet { fill-opacity: .65 }
  .dot { stroke: #fff; stroke-width: 1.2 }
  line { stroke: currentColor } @media (prefers-color-scheme: dark) { svg { color: #e6edf3 } }
</style>"""


@dataclass(frozen=True)
class Row:
    """One work: the caches' multiples of nginx's CPU, and the mirror's goal."""

    name: str
    multiples: dict[str, float]
    goal: float | None


def rows(found: dict[str, Any]) -> list[Row]:
    """Of what bench/hits.py measured, in the order of the table."""
    goals = {work.name: work.goal for work in WORKS}
    made = []
    for name, samples in found["works"].items():
        known = {cache: ratio(samples, cache, "nginx") for cache in CACHES if cache != "nginx"}
        multiples = {cache: value for cache, value in known.items() if value is not None}
        made.append(Row(name, multiples, goals.get(name)))
    return [row for row in made if row.multiples]


def svg(shown: list[Row]) -> str:
    """The mirror is a bar from nginx's line, the others are dots; a goal is a stroke, and reached left of it."""
    values = [value for row in shown for value in (*row.multiples.values(), row.goal or 1.0)]
    low, high = min([0.5, *values]) / 1.15, max([2.0, *values]) * 1.15

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(value / low) / math.log(high / low)

    bottom = TOP + STEP * len(shown)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 44}" role="img">', _STYLE]
    parts.append('<text x="12" y="22" font-weight="bold">CPU per request, as a multiple of nginx\'s</text>')
    parts += [*_legend(), f'<text x="{WIDTH - 4}" y="46" text-anchor="end">mirror</text>']
    for tick in (tick for tick in TICKS if low <= tick <= high):
        weight = "1.2" if tick == 1 else '0.6" stroke-opacity=".3'
        parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{bottom}" stroke-width="{weight}"/>')
        name = "nginx" if tick == 1 else f"{tick:g} x"
        parts.append(f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle" class="quiet">{name}</text>')
    for number, row in enumerate(shown):
        parts += _row(row, TOP + STEP * number + STEP / 2, x)
    parts.append(f'<text x="{x(1):.1f}" y="{bottom + 34}" text-anchor="middle" class="quiet">cheaper ← → dearer</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(row: Row, y: float, x: Callable[[float], float]) -> list[str]:
    """The name of the work, the mirror's bar with its figure, the goal, the others."""
    parts = [f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{row.name}</text>']
    ours = row.multiples.get("mirror")
    if ours is not None:
        begin, end = sorted((x(1), x(ours)))
        size = f'width="{max(1.5, end - begin):.1f}" height="12" fill-opacity=".8"'
        parts.append(f'<rect x="{begin:.1f}" y="{y - 6}" {size} fill="{COLORS["mirror"]}"/>')
    others = [(cache, value) for cache, value in row.multiples.items() if cache != "mirror"]
    parts += [
        f'<circle cx="{x(value):.1f}" cy="{y}" r="4.5" class="dot" fill="{COLORS[cache]}"/>' for cache, value in others
    ]
    if row.goal:
        place = f'x1="{x(row.goal):.1f}" x2="{x(row.goal):.1f}" y1="{y - 10}" y2="{y + 10}"'
        parts.append(f'<line {place} stroke-width="2.5"/>')
    if ours is not None:
        parts.append(f'<text x="{WIDTH - 4}" y="{y + 4}" text-anchor="end">{ours:.2f}</text>')
    return parts


def _legend() -> list[str]:
    """What each mark is."""
    parts, place = [], LEFT
    for cache, color in COLORS.items():
        mark = f'<circle cx="{place}" cy="42" r="4" fill="{color}"/>'
        if cache == "mirror":
            mark = f'<rect x="{place - 8}" y="36" width="16" height="12" fill="{color}"/>'
        parts += [mark, f'<text x="{place + 12}" y="46">{cache}</text>']
        place += 84
    parts.append(f'<line x1="{place}" x2="{place}" y1="32" y2="52" stroke-width="2.5"/>')
    return [*parts, f'<text x="{place + 8}" y="46">goal of the mirror</text>']
