"""The command line: `mirror COMMAND`, a module for each command (parser.py lists them)."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from mirror.cli.codes import FOUND, INTERRUPTED, WRONG
from mirror.cli.parser import command, parser
from mirror.errors import ConfigError, Unanswered


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0 done, 1 found or failed something, 2 wrong usage or configuration."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    named = [argument for argument in given if not argument.startswith("-")][:1]
    try:
        options = parser(named).parse_args(given)
        return command(options.command).run(options)
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return WRONG
    except Unanswered as exc:
        print(exc, file=sys.stderr)
        return WRONG if exc.status in (400, 422) else FOUND
    except BrokenPipeError:
        # Nobody reads on (`mirror ls | head`); what is left in the buffer must not complain when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND
    except KeyboardInterrupt:
        return INTERRUPTED
