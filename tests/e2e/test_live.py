"""Real clients install through a real server from the real registries; then once more with nothing upstream reachable.

The registries are those that this machine's own clients are set to (`upstream = "auto"`).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.live import CONFIG, UV, needed, not_hits, unreachable
from tests.instruments import installs
from tests.instruments.installs import alone, apt_options, suite, tree, twice
from tests.instruments.server import Served, served

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

PYTHON = ["fastapi[standard]", "django", "httpx", "rich", "flask"]  # with what they need, more than 20


def run(command: list[str], cwd: Path, **environment: str) -> None:
    twice(lambda: installs.run(command, cwd, **environment))


class Clients:
    """One install by each client, each in a folder of its own, without caches of their own."""

    def __init__(self, server: Served, folder: Path) -> None:
        self.server = server
        self.folder = folder

    def pip(self) -> Path:
        target = self._fresh("pip")
        index = ["--index-url", self.server.url("/pypi/simple/"), "--trusted-host", "127.0.0.1"]
        quiet = ["-q", "--disable-pip-version-check", "--no-cache-dir"]
        run([sys.executable, "-m", "pip", "download", *quiet, *index, "-d", ".", "requests"], target, **alone())
        return target

    def uv(self) -> Path:
        target = self._fresh("uv")
        index = ["--no-config", "--no-cache", "-q", "--index-url", self.server.url("/pypi/simple/")]
        run([UV, "pip", "install", *index, "--python", sys.executable, "--target", ".", *PYTHON], target)
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
        options = apt_options(state, self.server.url("/debian"), suite())
        run(["apt-get", *options, "-q", "update"], target)
        run(["apt-get", *options, "-q", "download", "hello"], target)
        assert next(target.glob("hello_*.deb")).stat().st_size > 10_000
        return target

    def curl(self) -> Path:
        target = self._fresh("curl")
        release = self.server.url(f"/debian/dists/{suite()}/InRelease")
        run(["curl", "-sfO", release], target)
        return target

    def _fresh(self, name: str) -> Path:
        target = self.folder / name
        target.mkdir(parents=True)
        return target


def installed(root: Path) -> dict[str, str]:
    """What a client left there, without what another run writes otherwise."""
    return {name: digest for name, digest in tree(root).items() if not name.endswith((".pyc", ".lock"))}


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server; its cache fills with the first test's installs."""
    with served(tmp_path_factory.mktemp("live"), CONFIG) as server:
        yield server


@pytest.mark.parametrize("client", ["pip", "uv", "npm", "apt", "curl"])
def test_installs_cold_and_then_from_disk_alone(client: str, warm: Served, tmp_path: Path) -> None:
    needed(client)
    first = getattr(Clients(warm, tmp_path / "first"), client)()
    with unreachable(warm) as lines:
        second = getattr(Clients(warm, tmp_path / "second"), client)()
    assert installed(first) == installed(second)
    assert lines
    assert not_hits(lines) == []
