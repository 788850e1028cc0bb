"""Workers and connections, as tables and goals; `found` is what bench/workers.py and bench/connections.py measured."""

from __future__ import annotations

import statistics
from typing import Any

from bench.report.costs import Goal

SECOND_WORKER = 1.8
"""So many times one worker's hits per second two workers have to make."""

ROOM = 100e6
"""Bytes of memory that must suffice for all connections."""


def worker_goals(found: dict[str, Any]) -> list[Goal]:
    samples = found["samples"]
    if not {"mirror, 1", "mirror, 2"} <= samples.keys():
        return []
    gain = _gain(samples["mirror, 2"], samples["mirror, 1"])
    text = f"hit 1 KiB: two workers at least {SECOND_WORKER} x one worker's requests per second"
    return [(text, f"{gain:.2f} x, on {found['cores']} cores with wrk on them", gain >= SECOND_WORKER)]


def connection_goals(found: dict[str, Any]) -> list[Goal]:
    if "mirror" not in found["memory"]:
        return []
    most = max(found["memory"]["mirror"][when] for when in ("idle", "busy"))
    text = f"{found['idle']:,} idle and {found['busy']} busy connections: under {ROOM / 1e6:.0f} MB"
    return [(text, f"{most / 1e6:.0f} MB", most < ROOM)]


def workers(found: dict[str, Any]) -> list[str]:
    """Each server with each number of workers, beside itself with one."""
    lines = [
        f"Hits of 1 KiB over 64 connections, medians of {found['rounds']} rounds. The servers and wrk share "
        f"{found['cores']} cores: the gain is what is left beside wrk, nginx's tells how much that can be. With a core "
        "for each worker: the number of workers times CPU per request with one, over CPU per request with so many.",
        "",
        "| server, workers | requests per second | gain | CPU, us | gain with a core each | memory, MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, rounds in found["samples"].items():
        server, count = name.split(", ")
        cpu, speed = (statistics.median(each) for each in zip(*rounds, strict=True))
        one = found["samples"].get(f"{server}, 1")
        gains = ["", ""]
        if one and count != "1":
            apart = int(count) * statistics.median(a[0] / b[0] for a, b in zip(one, rounds, strict=True))
            gains = [f"{_gain(rounds, one):.2f} x", f"{apart:.2f} x"]
        memory = f"{found['memory'][name] / 1e6:.0f}"
        lines.append(f"| {name} | {speed:,.0f} | {gains[0]} | {cpu:.1f} | {gains[1]} | {memory} |")
    return lines


def _gain(rounds: list[list[float]], one: list[list[float]]) -> float:
    return statistics.median(a[1] / b[1] for a, b in zip(rounds, one, strict=True))


def connections(found: dict[str, Any]) -> list[str]:
    """What each cache has in memory."""
    lines = [
        f"Memory (resident; of several processes: PSS) with {found['idle']:,} idle connections, each of which was "
        f"answered before and after, and with {found['busy']} more: half ask for objects of 1 and 20 KiB as fast as "
        "they are answered, half read 200 MB at 1 MB/s, half of these while it is being fetched. The most within "
        f"{found['seconds']:.0f} s.",
        "",
        "| cache | at the start, MB | idle, MB | idle and busy, MB | hits answered meanwhile |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, seen in found["memory"].items():
        sizes = " | ".join(f"{seen[when] / 1e6:.0f}" for when in ("start", "idle", "busy"))
        lines.append(f"| {name} | {sizes} | {seen['hits']:,} |")
    return lines
