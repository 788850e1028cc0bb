"""The parser of the command line. A command is a module of its name, with `add(parser)` and `run(options)`.

Only the module of the command that was given is loaded, so that none waits for what others need.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import version
from typing import Protocol, cast

COMMANDS = {
    "serve": "run the server",
    "check": "say all that is wrong with the configuration",
    "setup": "show, write or take back what points a client at the mirror",
    "token": "make a token for clients and the admin API",
    "stats": "show what was answered, fetched and saved, and what is stored",
    "ls": "list what is stored",
    "explain": "say how a request would be answered now, and why",
    "held": "list what the policy keeps back, and until when",
    "purge": "remove, or expire, what is stored",
    "warm": "fetch what a lock file or a list of addresses names, before anybody asks for it",
    "refresh": "ask the upstreams again, now",
    "fills": "show the downloads that run now",
    "jobs": "show what runs beside the requests, or stop it",
    "reload": "have the server read its configuration again",
    "completion": "print what makes a shell complete commands and options",
    "audit": "show who got what, and check and export that record",
    "fsck": "check what is stored, and repair it, while no server runs",
}
"""What there is, and what it does, in the order in which `--help` lists it."""


class Command(Protocol):
    """What the module of a command has."""

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Add its options."""

    def run(self, options: argparse.Namespace) -> int:
        """Carry it out; the exit code."""


def command(name: str) -> Command:
    """The module of a command, loaded."""
    return cast(Command, import_module(f"mirror.cli.{name}"))


def parser(wanted: Iterable[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """A parser that knows all commands, and the options of those that are wanted."""
    made = argparse.ArgumentParser("mirror", description="A caching download server for package registries and hosts.")
    made.add_argument("--version", action="version", version=f"mirror {version('mirror')}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, does in COMMANDS.items():
        own = commands.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.")
        if name in wanted:
            command(name).add(own)
    return made
