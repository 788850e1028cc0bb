"""A home of a test's own, in which `mirror setup` finds, writes and takes back the clients' files."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirror import cli
from mirror.clients import Machine

CONFIG = """
[server]
listen = "127.0.0.1:8000"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "http://upstream.test/simple"
[mirrors.npm]
ecosystem = "npm"
upstream = "http://upstream.test/npm"
[mirrors.debian]
ecosystem = "apt"
upstream = "http://upstream.test/debian"
[mirrors.get]
ecosystem = "any"
"""
FILES = {
    "pip": (".config/pip/pip.conf", "[global]\ntimeout = 60\n"),
    "uv": (".config/uv/uv.toml", "offline = false\n"),
    "npm": (".npmrc", "fund=false\n"),
    "pnpm": (".npmrc", "fund=false"),
    "yarn": (".yarnrc.yml", "nodeLinker: pnp\r\n"),
    "apt": ("etc/apt/sources.list.d/mirror.sources", ""),
}


class House:
    """A machine whose only files are the configuration and os-release; `run` is the command line."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._patch = patch
        self._capsys = capsys
        self.config(CONFIG)
        (home / "etc/apt/sources.list.d").mkdir(parents=True)
        (home / "etc/os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
        self.environment(PATH="")

    def environment(self, **more: str) -> None:
        """What the clients see, besides HOME."""
        machine = Machine({"HOME": str(self.home), **more}, self.home / "etc/apt", "/nowhere/python")
        self._patch.setattr(Machine, "here", lambda: machine)

    def config(self, text: str) -> None:
        (self.home / "config.toml").write_text(text)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = cli.main(["setup", *arguments, "--config", str(self.home / "config.toml")])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def before(self, client: str) -> Path:
        path = self.home / FILES[client][0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FILES[client][1].encode())
        return path
