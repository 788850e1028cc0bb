"""`mirror ls`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from mirror.cli import options, shown
from mirror.cli.codes import DONE
from mirror.client import Client
from mirror.errors import ConfigError

_PAGE = 1000
"""Entries that the server lists at once, at most."""

_TOP = 100
"""The same in an order of their own."""

_HEADS = ("state", "size", "age", "ttl", "hits", "used", "key")


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("prefix", nargs="?", default="", metavar="PREFIX", help="a beginning: /pypi/simple/")
    parser.add_argument("--mirror", default="", metavar="M", help="of this mirror alone")
    parser.add_argument("--tag", default="", metavar="T", help="with this tag: npm:react")
    parser.add_argument("--search", default="", metavar="S", help="with this in the address, in any case")
    parser.add_argument("--state", default="", choices=("fresh", "stale", "expired", "negative"), help="in this state")
    parser.add_argument(
        "--order", default="", choices=("key", "largest", "oldest", "used"), help=f"all but key: the first {_TOP} alone"
    )
    parser.add_argument("--limit", type=options.positive, metavar="N", help="at most (default: 100)")
    parser.add_argument("--all", action="store_true", help="all")
    options.server(parser)


def run(chosen: argparse.Namespace) -> int:
    """List what is stored."""
    if chosen.all and chosen.limit:
        raise ConfigError(["--all or --limit: one of them"])
    if _ordered(chosen) and (chosen.all or (chosen.limit or 0) > _TOP):
        raise ConfigError([f"--order {chosen.order} lists at most {_TOP}"])
    with options.client(chosen) as client:
        listed, last = 0, {}
        for page in _pages(client, chosen):
            if chosen.json:
                shown.document(page)
            else:
                _print(page, head=not listed)
            listed += len(page["entries"])
            last = page
    if not chosen.json:
        _besides(last, listed)
    return DONE


def _ordered(chosen: argparse.Namespace) -> bool:
    return chosen.order not in ("", "key")


def _pages(client: Client, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What the server answers until the limit is reached, or there is no more."""
    left, cursor = float("inf") if chosen.all else chosen.limit or 100, None
    named = ("prefix", "mirror", "tag", "search", "state", "order")
    asked = {name: getattr(chosen, name) for name in named}
    while True:
        page = client.get("/-/api/entries", **asked, cursor=cursor, limit=int(min(left, _PAGE)))
        yield page
        left -= len(page["entries"])
        cursor = page.get("cursor")
        if not cursor or left <= 0:
            return


def _print(page: dict[str, Any], *, head: bool) -> None:
    rows = [_row(entry) for entry in page["entries"]]
    if rows:
        shown.console().print(shown.table(_HEADS, rows, right=" rrrrr", head=head))


def _row(entry: dict[str, Any]) -> list[str]:
    ttl = "always" if entry["ttl"] is None and entry["state"] == "fresh" else shown.span(entry["ttl"])
    hits = "-" if entry.get("hits") is None else str(entry["hits"])
    used = entry.get("last_access")
    stored = entry["stored_at"] + entry["age"]  # now, by the server's clock
    ago = "-" if used is None else shown.span(max(0.0, stored - used))
    return [entry["state"], shown.size(entry["size"]), shown.span(entry["age"]), ttl, hits, ago, entry["key"]]


def _besides(last: dict[str, Any], listed: int) -> None:
    """What is to be known of the list."""
    if last.get("cursor"):
        shown.say("there are more: --all, or --limit N")
    elif last.get("complete", True):
        if not listed:
            shown.say("nothing that is stored fits")
    else:
        shown.say("what is stored is still being looked through: ask again for the rest")
