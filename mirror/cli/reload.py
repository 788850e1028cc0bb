"""`mirror reload`."""

from __future__ import annotations

import argparse

from mirror.cli import options, shown
from mirror.cli.codes import DONE


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.server(parser)


def run(chosen: argparse.Namespace) -> int:
    """Have the server read its configuration again."""
    with options.client(chosen) as client:
        found = client.post("/-/api/reload", role="admin")
    if chosen.json:
        shown.document(found)
        return DONE
    changed, restart = found.get("changed") or [], found.get("restart") or []
    print(shown.clean("reloaded: " + (", ".join(changed) or "nothing has changed")))
    if restart:
        print(shown.clean(f"takes a restart: {', '.join(restart)}"))
    return DONE
