"""`mirror setup`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mirror import pointers, setup
from mirror.cli import options
from mirror.cli.codes import DONE, FOUND
from mirror.clients import Machine
from mirror.errors import ConfigError


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("client", choices=pointers.CLIENTS, metavar="CLIENT", help=", ".join(pointers.CLIENTS))
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--write", action="store_true", help="into the client's own file, with a backup beside it")
    act.add_argument("--undo", action="store_true", help="what --write did")
    parser.add_argument(
        "--server", default="", metavar="URL", help="where clients see the server, if not as configured"
    )
    options.config(parser)


def run(chosen: argparse.Namespace) -> int:
    """Show what points a client here, or write it, or take it back."""
    machine = Machine.here()
    try:
        job = setup.prepare(chosen.client, machine, Path(chosen.config), chosen.server, ask=chosen.write)
    except ConfigError:
        if not chosen.undo:
            raise
        job = setup.Setup(chosen.client, machine)  # what was written says itself how to take it back
    if not chosen.write and not chosen.undo:
        print(setup.shown(job))
        return DONE
    report = setup.undo(job) if chosen.undo else setup.write(job)
    for line in report.done:
        print(line)
    for line in report.failed:
        print(line, file=sys.stderr)
    return FOUND if report.failed else DONE
