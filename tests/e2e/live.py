"""What live tests stand on: a mirror of the registries that this machine's own clients are set to."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirror import clients
from mirror.errors import Unavailable
from tests.instruments.installs import KEYRING
from tests.instruments.server import Served

CONFIG = """
[cache]
min_free = "1MB"
[upstream]
[mirrors.pypi]
ecosystem = "pypi"
[mirrors.npm]
ecosystem = "npm"
[mirrors.debian]
ecosystem = "apt"
"""
UNREACHABLE = 'proxy = "http://127.0.0.1:9"\nretries = 0'
UV = str(Path(sys.executable).with_name("uv"))

_NEEDED = {
    "pip": (sys.executable, "pypi", "pypi"),
    "uv": (UV, "pypi", "pypi"),
    "npm": ("npm", "npm", "npm"),
    "apt": ("apt-get", "apt", "debian"),
    "curl": ("curl", "apt", "debian"),
}


def needed(client: str) -> str:
    """Where this machine's client would ask; skips with the reason where it lacks the client, or a registry to ask."""
    program, ecosystem, name = _NEEDED[client]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    if client == "apt" and not KEYRING.exists():
        pytest.skip(f"there is no {KEYRING}")
    try:
        return clients.discover(ecosystem, name, frozenset()).url
    except Unavailable as exc:
        pytest.skip(str(exc))


@contextmanager
def unreachable(server: Served) -> Iterator[list[str]]:
    """The server starts again with no upstream that it could reach, and as it was at the end.

    Then there is in the list what it wrote down about the mirrors' answers meanwhile.
    """
    config = server.folder / "config.toml"
    online = config.read_text()
    answered: list[str] = []
    server.stop()
    config.write_text(online.replace("[upstream]\n", f"[upstream]\n{UNREACHABLE}\n"))
    try:
        server.start()
        yield answered
    finally:
        server.stop()
        lines = server.log_since_start().splitlines()
        answered += [line for line in lines if "mirror.access" in line and '"GET /-/' not in line]
        config.write_text(online)
        server.start()


def not_hits(lines: list[str]) -> list[str]:
    """The answers for which an upstream was asked, or should have been."""
    return [line for line in lines if "[mirror; hit" not in line]
