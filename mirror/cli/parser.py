"""The parser of the command line: all families of commands, in the order in which `--help` lists them."""

from __future__ import annotations

import argparse
from importlib.metadata import version

from mirror.cli import serve, setup

FAMILIES = (serve, setup)


def parser() -> argparse.ArgumentParser:
    """The parser; `run` of what it has parsed is what carries the command out."""
    made = argparse.ArgumentParser("mirror", description="A caching download server for package registries and hosts.")
    made.add_argument("--version", action="version", version=f"mirror {version('mirror')}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for family in FAMILIES:
        family.add(commands)
    return made
