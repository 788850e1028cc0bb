"""`mirror token`: a new token, and the lines of config.toml that make it known. The server keeps its hash alone."""

from __future__ import annotations

import argparse
import re
import secrets

from mirror.cli.codes import DONE
from mirror.errors import ConfigError
from mirror.rights import digest
from mirror.sections import NAME, ROLES


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="in config.toml; default: the role")
    parser.add_argument("--role", default="read", choices=ROLES, help="default: read")


def run(chosen: argparse.Namespace) -> int:
    """Print a new token, this once, and its lines."""
    print(made(chosen.name or chosen.role, chosen.role))
    return DONE


def made(name: str, role: str) -> str:
    """A token of 256 random bits, and its lines. Raises ConfigError where that is no name for a token."""
    if not re.fullmatch(NAME, name):
        raise ConfigError([f"{name!r}: not a name for a token (a-z, 0-9 and -, no - in front)"])
    token = secrets.token_urlsafe(32)
    lines = f'[admin.tokens.{name}]\nrole = "{role}"\nhash = "sha256:{digest(token).hex()}"'
    return (
        f"{token}\n\nThis is the token, shown this once. The server knows it by these lines of config.toml:\n\n{lines}"
    )
