"""The command line: `mirror COMMAND`, a file for each family of commands.

A family's `add(commands)` adds its parsers, each with `run`: options -> exit code. What a command needs beyond the
standard library and the configuration it imports when it runs, so that none waits for what another needs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mirror.cli.codes import WRONG
from mirror.cli.parser import parser
from mirror.errors import ConfigError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0 done, 1 found or failed something, 2 wrong usage or configuration."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return WRONG
    return code
