"""`mirror refresh`."""

from __future__ import annotations

import argparse

from mirror.cli import following, options


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("urls", nargs="+", metavar="URL", help="as clients ask it: /pypi/simple/six/")
    following.add(parser)
    options.server(parser)


def run(chosen: argparse.Namespace) -> int:
    """Ask the upstreams again, now; what is stored stays where they fail."""
    with options.client(chosen) as client:
        return following.through(client, client.post("/-/api/refresh", {"urls": chosen.urls}), chosen)
