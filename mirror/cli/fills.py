"""`mirror fills`."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.text import Text

from mirror.cli import following, options, shown
from mirror.cli.codes import DONE

_HEADS = ("there", "total", "rate", "readers", "segments", "age", "state", "key")


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    options.server(parser)


def run(chosen: argparse.Namespace) -> int:
    """Show the downloads that run now."""
    with options.client(chosen) as client:
        if chosen.watch:
            return following.watch(lambda: client.get("/-/api/fills"), picture, json=chosen.json)
        found = client.get("/-/api/fills")
    if chosen.json:
        shown.document(found)
    else:
        shown.console().print(picture(found))
    return DONE


def picture(found: dict[str, Any]) -> RenderableType:
    """A row for each download, with a bar where it is for a terminal."""
    fills = found["fills"]
    if not fills:
        return Text("no downloads")
    bars = [ProgressBar(fill["total"] or 1, fill["there"], width=20, pulse=fill["total"] is None) for fill in fills]
    return shown.table(_HEADS, [_row(fill) for fill in fills], right="rrrrrr", bars=bars)


def _row(fill: dict[str, Any]) -> list[str]:
    stored = "" if fill.get("stored", True) else ", not stored"
    return [
        shown.size(fill["there"]),
        shown.size(fill["total"]),
        f"{shown.size(fill['rate'])}/s",
        str(fill["readers"]),
        str(fill["segments"]),
        shown.span(fill["age"]),
        f"{fill['state']}{stored}",
        fill["key"],
    ]
