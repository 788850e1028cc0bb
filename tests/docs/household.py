"""A machine as the manual's reader has one: a mirror at http://127.0.0.1:8000, clients, and a home of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.instruments.npm_registry import Registry
from tests.instruments.npm_world import Version
from tests.instruments.python_index import PythonIndex, python_index
from tests.instruments.python_packages import Project, wheel
from tests.instruments.server import ROOT, Served, served

CONFIG = """
[cache]
min_free = "1MB"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{pypi}"
allow_private = true
[mirrors.npm]
ecosystem = "npm"
upstream = "{npm}"
allow_private = true
[mirrors.debian]
ecosystem = "apt"
upstream = "{debian}"
[mirrors.get]
ecosystem = "any"
allow = ["{host}"]
allow_private = true
"""


class Household:
    """`run` runs lines of the manual in the folder of a page, with the manual's addresses made those of this mirror."""

    def __init__(self, folder: Path, server: Served, host: str) -> None:
        self._folder = folder
        self._server = server
        self._host = host
        self._page = folder
        kept = ("LANG", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
        commands = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {name: os.environ[name] for name in kept if name in os.environ} | {
            "PATH": commands,
            "HOME": str(folder / "home"),
            "PYTHONPATH": str(ROOT),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CONFIG_FILE": str(folder / "home" / "pip.conf"),
            "UV_SYSTEM_PYTHON": "1",
            "NO_COLOR": "1",
        }
        (folder / "home").mkdir()
        (folder / "bin").mkdir()
        command = folder / "bin" / "mirror"  # of this tree, whatever is installed
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mirror "$@"\n')
        command.chmod(0o755)

    def move_to(self, page: str) -> None:
        """The folder in which a page's lines run, one after the other."""
        self._page = self._folder / page
        self._page.mkdir(exist_ok=True)
        (self._page / "config.toml").write_text((self._server.folder / "config.toml").read_text())

    def run(self, lines: str) -> subprocess.CompletedProcess[str]:
        """The first line that fails ends it."""
        lines = lines.replace("127.0.0.1:8000", f"127.0.0.1:{self._server.port}")
        lines = lines.replace("get/http/downloads.example.com", f"get/http/{self._host}")
        command = ["sh", "-eu", "-c", lines]
        return subprocess.run(
            command, cwd=self._page, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )


@contextmanager
def household(folder: Path) -> Iterator[Household]:
    """With a registry of each kind behind the mirror."""
    with python_index("real") as index:
        host = _offer(index)
        config = CONFIG.format(
            pypi=index.simple, npm=index.beyond.url("/npm"), debian=index.beyond.url("/debian"), host=host
        )
        with served(folder / "mirror", config) as server:
            yield Household(folder, server, host)


def _offer(index: PythonIndex) -> str:
    """What the manual's examples ask for; the host of its files."""
    index.publish(Project("six", (wheel("six", "1.16.0"),)))
    Registry(index.beyond, "real", "/npm").publish(Version("left-pad", "1.3.0"), "latest")
    index.beyond.route("/pub/file.bin", body=bytes(range(256)) * 64)
    return f"127.0.0.1:{index.beyond.port}"
