"""`mirror completion`."""

from __future__ import annotations

import argparse

import shtab

from mirror.cli.codes import DONE

SHELLS = ("bash", "zsh", "fish", "tcsh")


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    parser.epilog = 'Bash: eval "$(mirror completion bash)" in ~/.bashrc. Fish: mirror completion fish | source'


def run(chosen: argparse.Namespace) -> int:
    """Print what makes a shell complete commands and options."""
    from mirror.cli.parser import parser  # not above: it is what has loaded this module

    print(shtab.complete(parser(), shell=chosen.shell))
    return DONE
