"""Real clients install through a real server from the real registries; then once more with nothing upstream reachable.

The registries are those that this machine's own clients are set to (`upstream = "auto"`).
"""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror import clients
from mirror.errors import Unavailable
from tests.instruments.server import Served

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

CONFIG = """
[cache]
min_free = "1MB"
[upstream]
{unreachable}
[mirrors.pypi]
ecosystem = "pypi"
[mirrors.npm]
ecosystem = "npm"
[mirrors.debian]
ecosystem = "apt"
"""
UNREACHABLE = 'proxy = "http://127.0.0.1:9"\nretries = 0'
PYTHON = ["fastapi[standard]", "django", "httpx", "rich", "flask"]  # with what they need, more than 20


def run(command: list[str], cwd: Path, **environment: str) -> None:
    """Run a client in a clean environment; once more when it failed, because networks do."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "npm_"))}
    for attempt in (1, 2):
        done = subprocess.run(
            command, cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, timeout=240, check=False
        )
        if done.returncode == 0:
            return
        assert attempt == 1, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


class Clients:
    """One install by each client, each in a folder of its own, without caches of their own."""

    def __init__(self, server: Served, folder: Path) -> None:
        self.server = server
        self.folder = folder

    def pip(self) -> Path:
        target = self._fresh("pip")
        index = ["--index-url", self.server.url("/pypi/simple/"), "--trusted-host", "127.0.0.1"]
        quiet = ["-q", "--disable-pip-version-check", "--no-cache-dir"]
        run([sys.executable, "-m", "pip", "--isolated", "download", *quiet, *index, "-d", ".", "requests"], target)
        return target

    def uv(self) -> Path:
        target = self._fresh("uv")
        uv = Path(sys.executable).with_name("uv")
        index = ["--no-config", "--no-cache", "-q", "--index-url", self.server.url("/pypi/simple/")]
        run([str(uv), "pip", "install", *index, "--python", sys.executable, "--target", ".", *PYTHON], target)
        assert sum(path.name.endswith(".dist-info") for path in target.iterdir()) >= 20
        return target

    def npm(self) -> Path:
        target = self._fresh("npm")
        (target / "package.json").write_text('{"name":"x","version":"1.0.0"}')
        cache = self.folder / "npm-cache"
        options = ["--registry", self.server.url("/npm/"), "--cache", str(cache), "--no-audit", "--no-fund"]
        run(["npm", "install", *options, "express"], target)
        shutil.rmtree(cache)
        assert (target / "node_modules" / "express" / "package.json").exists()
        return target

    def apt(self) -> Path:
        target = self._fresh("apt")
        state = self.folder / "apt-state"
        shutil.rmtree(state, ignore_errors=True)
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (state / folder).mkdir(parents=True)
        keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
        sources = state / "sources.list"
        sources.write_text(f"deb [signed-by={keys}] {self.server.url('/debian')} bookworm main\n")
        settings = {
            "Dir::Etc::sourcelist": sources,
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State": state / "state",
            "Dir::Cache": state / "cache",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
        }
        options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        run(["apt-get", *options, "-q", "update"], target)
        run(["apt-get", *options, "-q", "download", "hello"], target)
        assert next(target.glob("hello_*.deb")).stat().st_size > 10_000
        return target

    def curl(self) -> Path:
        target = self._fresh("curl")
        suite = self.server.url("/debian/dists/bookworm/InRelease")
        run(["curl", "-sfO", suite], target)
        return target

    def _fresh(self, name: str) -> Path:
        target = self.folder / name
        target.mkdir(parents=True)
        return target


def same(one: Path, two: Path) -> bool:
    """True when both trees hold the same files with the same bytes."""
    names = [sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) for root in (one, two)]
    if names[0] != names[1]:
        return False
    return all(
        filecmp.cmp(one / name, two / name, shallow=False)
        for name in names[0]
        if not name.endswith((".pyc", "/.lock", ".lock"))
    )


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server; its cache fills with the first test's installs."""
    server = Served(tmp_path_factory.mktemp("live"), CONFIG.format(unreachable=""))
    server.start()
    yield server
    server.stop()


def needed(client: str) -> None:
    """Skip with the reason where this machine lacks the client, or a registry to ask."""
    program, ecosystem, name = {
        "pip": (sys.executable, "pypi", "pypi"),
        "uv": (str(Path(sys.executable).with_name("uv")), "pypi", "pypi"),
        "npm": ("npm", "npm", "npm"),
        "apt": ("apt-get", "apt", "debian"),
        "curl": ("curl", "apt", "debian"),
    }[client]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    try:
        clients.discover(ecosystem, name, frozenset())
    except Unavailable as exc:
        pytest.skip(str(exc))


@pytest.mark.parametrize("client", ["pip", "uv", "npm", "apt", "curl"])
def test_installs_cold_and_then_from_disk_alone(client: str, warm: Served, tmp_path: Path) -> None:
    needed(client)
    first = getattr(Clients(warm, tmp_path / "first"), client)()
    warm.stop()
    config = warm.folder / "config.toml"
    online = config.read_text()
    config.write_text(online.replace("[upstream]\n", f"[upstream]\n{UNREACHABLE}\n"))
    before = len(warm.log())
    try:
        warm.start()
        second = getattr(Clients(warm, tmp_path / "second"), client)()
        answers = [line for line in warm.log()[before:].splitlines() if "mirror.access" in line and "/-/" not in line]
    finally:
        warm.stop()
        config.write_text(online)
        warm.start()
    assert same(first, second)
    assert answers
    assert [line for line in answers if "[mirror; hit" not in line] == []
