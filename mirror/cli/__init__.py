"""The command line: `mirror COMMAND`, a module for each command (parser.py lists them)."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mirror.cli.codes import WRONG
from mirror.cli.parser import command, parser
from mirror.errors import ConfigError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0 done, 1 found or failed something, 2 wrong usage or configuration."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    named = [argument for argument in given if not argument.startswith("-")][:1]
    options = parser(named).parse_args(given)
    try:
        return command(options.command).run(options)
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return WRONG
