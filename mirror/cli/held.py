"""`mirror held`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from mirror.cli import options, shown
from mirror.cli.codes import DONE
from mirror.client import Client
from mirror.policy.reasons import moment

_PAGE = 1000
"""What the server lists at once, at most."""

_HEADS = ("rule", "until", "package", "version", "reason")


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("mirror", metavar="MIRROR", help="whose")
    parser.add_argument("--limit", type=options.positive, default=100, metavar="N", help="at most (default: 100)")
    options.server(parser)


def run(chosen: argparse.Namespace) -> int:
    """List what the policy does not give."""
    with options.client(chosen) as client:
        listed, last = 0, {}
        for page in _pages(client, chosen):
            if chosen.json:
                shown.document(page)
            elif page["held"]:
                rows = [_row(each) for each in page["held"]]
                shown.console().print(shown.table(_HEADS, rows, head=not listed))
            listed += len(page["held"])
            last = page
    if not chosen.json and last.get("cursor"):
        shown.say("there are more: --limit N")
    elif not chosen.json and not listed:
        shown.say("nothing that this mirror knows of is held")
    return DONE


def _pages(client: Client, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What the server answers until the limit is reached, or there is no more."""
    left, cursor = chosen.limit, None
    while True:
        page = client.get("/-/api/held", mirror=chosen.mirror, cursor=cursor, limit=min(left, _PAGE))
        yield page
        left -= len(page["held"])
        cursor = page.get("cursor")
        if not cursor or left <= 0:
            return


def _row(held: dict[str, Any]) -> list[str]:
    until = "-" if held["until"] is None else moment(held["until"])
    rule = held["rule"] if held["enforced"] else f"{held['rule']} (audit)"
    version = held["version"] or held["file"]
    return [rule, until, held["package"], version, held["reason"]]
