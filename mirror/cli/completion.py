"""`mirror completion`."""

from __future__ import annotations

import argparse

import shtab

from mirror.cli.codes import DONE
from mirror.cli.parser import parser

SHELLS = ("bash", "zsh", "fish", "tcsh")


def add(own: argparse.ArgumentParser) -> None:
    """Its options."""
    own.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    own.epilog = 'Bash: eval "$(mirror completion bash)" in ~/.bashrc. Fish: mirror completion fish | source'


def run(chosen: argparse.Namespace) -> int:
    """Print what makes a shell complete commands and options."""
    whole = parser()
    _files(whole)
    print(shtab.complete(whole, shell=chosen.shell))
    return DONE


def _files(whole: argparse.ArgumentParser) -> None:
    """Has what is called FILE completed as one."""
    for action in whole._actions:
        if isinstance(action, argparse._SubParsersAction):
            for own in action.choices.values():
                _files(own)
        elif action.metavar == "FILE":
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
