"""docs/performance.md and its picture, made of what is kept in bench/results."""

from __future__ import annotations

from pathlib import Path

from bench.hit.cache import ROOT
from bench.report import capacity, costs, moments, plot, results

PAGE = Path("docs/performance.md")
PICTURE = "performance.svg"

_HEAD = """# What requests cost

Made by `scripts/bench performance`, which runs `hits`, `workers`, `ttfb` and `connections` (each can be run by itself,
with `--write`). The caches run on one core, what asks them and the origin on another; the rounds are interleaved.
Machines differ and are noisy: what counts is the ratios within a run."""

_SETUP = """How the caches are set up (`bench/hit/caches.py`): all write an access log. nginx: one worker, `sendfile`,
`open_file_cache`, kept connections to the origin, `proxy_cache_lock`. Squid: 256 MB of memory for objects, the others
on disk. Varnish: all in memory, so its memory holds the bodies; its log is written by varnishncsa, which is counted.
The mirror has its default settings: what it stores is synced to disk. naive: a proxy of 60 lines with FastAPI, httpx
and aiofiles (`bench/hit/naive.py`). floor: no cache at all, a uvloop protocol that reads a request and writes an answer
of that size (`bench/hit/floor.py`): no server on this event loop can cost less. Where the floor is above a goal, the
goal is out of its reach.

Hits and 304s: wrk, one object over all connections, where connections are named; else one request after the other. Each
miss is for another object. Before it is measured, each byte of a stored object is compared with the origin's. The
packument is 1 MB of JSON, asked for with gzip; the mirror rewrites the addresses in it, the others pass it on."""

_MORE = """## More

- `scripts/bench installs`: whole installs by pip, npm and apt-get, beside devpi-server, proxpi, Verdaccio and
  apt-cacher-ng.
- `scripts/bench packument`: what rewriting a packument of 100 MB costs.
- `scripts/bench fleet`: a hundred readers of one object that is being fetched.
- [transports.md](transports.md): what carries requests to the origin."""


def write() -> None:
    """Both anew; what was never measured is left out."""
    hits, workers = results.load("hits"), results.load("workers")
    ttfb, crowd = results.load("ttfb"), results.load("connections")
    parts = [_HEAD]
    goals: list[costs.Goal] = []
    if hits:
        goals += costs.goals(hits)
        picture = f"![CPU of each request as a multiple of nginx's]({PICTURE})"
        parts += ["## CPU", _of(hits), picture, *_joined(costs.section(hits)), _SETUP]
        (ROOT / PAGE).with_name(PICTURE).write_text(plot.svg(plot.rows(hits)))
    if ttfb:
        goals += moments.goals(ttfb)
        parts += ["## First byte of a miss", _of(ttfb), *_joined(moments.section(ttfb))]
    if workers:
        goals += capacity.worker_goals(workers)
        parts += ["## Workers", _of(workers), *_joined(capacity.workers(workers))]
    if crowd:
        goals += capacity.connection_goals(crowd)
        parts += ["## Connections", _of(crowd), *_joined(capacity.connections(crowd))]
    parts[1:1] = ["## Goals", *_joined(_table(goals))]
    (ROOT / PAGE).write_text("\n\n".join([*parts, _MORE]) + "\n")


def _of(found: dict[str, str]) -> str:
    return f"On {found['on']}: {found['machine']}."


def _joined(lines: list[str]) -> list[str]:
    """As one part of the page."""
    return ["\n".join(lines)]


def _table(goals: list[costs.Goal]) -> list[str]:
    lines = ["| goal | measured | reached |", "|---|---|---|"]
    return lines + [f"| {goal} | {seen} | {'yes' if reached else '**no**'} |" for goal, seen, reached in goals]


if __name__ == "__main__":
    write()
