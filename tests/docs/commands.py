"""The manual's page of commands, as their `--help` tells them: `python -m tests.docs.commands > docs/commands.md`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from unittest import mock

from mirror.cli.parser import COMMANDS, parser

COMMAND = "python -m tests.docs.commands > docs/commands.md"

INTRODUCTION = """\
# Commands

`mirror COMMAND --help` says the same. Exit codes: 0 done, 1 found or failed something, 2 wrong usage or configuration.

Those that ask a running server find it by `--server`, `MIRROR_SERVER`, or the `listen` of the configuration; a token
comes from `MIRROR_ADMIN_TOKEN` or `--token-file`, never from the command line. Each of them has `--json`, which prints
what the [admin API](api.md) answers. `mirror completion bash` makes a shell complete commands and options.

| command | does |
|---|---|
"""


def page() -> str:
    """The page, in lines as wide as a terminal of 100 columns."""
    table = "".join(f"| [`mirror {name}`](#mirror-{name}) | {does} |\n" for name, does in COMMANDS.items())
    with mock.patch.dict(os.environ, {"COLUMNS": "100", "MIRROR_CONFIG": "config.toml"}):
        each = "".join(f"\n## mirror {name}\n\n```text\n{_help(name)}```\n" for name in COMMANDS)
    return f"{INTRODUCTION}{table}{each}"


def _help(name: str) -> str:
    made = parser(name)
    for action in made._actions:
        if isinstance(action, argparse._SubParsersAction):
            return "\n".join(_helps(action.choices[name]))
    raise KeyError(name)


def _helps(own: argparse.ArgumentParser) -> Iterator[str]:
    """Of a command, and of those below it."""
    yield own.format_help()
    for action in own._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _helps(below)


if __name__ == "__main__":
    print(page(), end="")
