"""`mirror stats`."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirror.cli import following, options, shown
from mirror.cli.codes import DONE

Stats = dict[str, Any]

_HEADS = ("mirror", "requests", "hits", "served", "saved", "fetched", "errors", "entries", "size")
_STORED = ("HIT", "STALE", "REVALIDATED")
_NUMBERS = ("bytes_served", "bytes_saved", "bytes_fetched")


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    options.server(parser)


def run(chosen: argparse.Namespace) -> int:
    """Show what was answered, fetched and saved, and what is stored."""
    with options.client(chosen) as client:
        if chosen.watch:
            return following.watch(lambda: client.get("/-/api/stats"), picture, json=chosen.json)
        found = client.get("/-/api/stats")
    if chosen.json:
        shown.document(found)
    else:
        shown.console().print(picture(found))
    return DONE


def picture(stats: Stats) -> RenderableType:
    """The mirrors as a table, and below it the cache, the upstreams that are not up, and what is wrong."""
    rows = [_row(name, one) for name, one in stats["mirrors"].items()]
    rows.append(_row("all", stats["totals"]))
    table = shown.table(_HEADS, rows, right=" rrrrrrrr")
    return Group(table, Text("\n" + shown.clean("\n".join(_lines(stats)))))


def _row(name: str, one: dict[str, Any]) -> list[str]:
    asked = sum(one["requests"].values())
    hits = sum(number for outcome, number in one["requests"].items() if outcome in _STORED)
    sizes = [shown.size(one[number]) for number in _NUMBERS]
    share = f"{100 * hits / asked:.0f}%" if asked else "-"
    size = shown.size(one["size"]) + (f" of {shown.size(one['max_size'])}" if one.get("max_size") else "")
    return [name, str(asked), share, *sizes, str(one["errors"]), str(one["entries"]), size]


def _lines(stats: Stats) -> list[str]:
    lines = [f"version {stats['version']}, up for {shown.span(stats['uptime'])}"]
    if workers := stats.get("workers", 1) - 1:
        lines[0] += f", {workers + 1} processes"
    if fills := stats.get("fills"):
        lines[0] += f", {shown.count(fills, 'download')} running"
    if cache := stats.get("cache"):
        lines.append(
            f"cache: {shown.size(cache['used'])} of {shown.size(cache['max_size'])}, "
            f"{shown.size(cache['path_free'])} free on its disk (at least {shown.size(cache['min_free'])} stay free), "
            f"{cache['evicted']} evicted"
        )
    for name, one in stats["mirrors"].items():
        if one.get("unavailable"):
            lines.append(f"/{name}/ is unavailable: {one['unavailable']}")
    lines += [upstream(one) for one in stats.get("upstreams", ()) if one["state"] != "up"]
    if error := (stats.get("config") or {}).get("error"):
        lines.append(f"the configuration was not taken over: {error}")
    return lines


def upstream(one: dict[str, Any]) -> str:
    """An upstream's state in a line."""
    error = f": {one['error']}" if one.get("error") else ""
    return f"upstream {one['name']} is {one['state']}{error}"
