"""What a lock file names is warmed, the upstream goes, and clients install all of it from the mirror."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from mirror.cli import main
from tests.e2e import npm_house
from tests.e2e.node_clients import NPM, Project, needed
from tests.e2e.python_clients import Client, pip, uv, versions
from tests.e2e.python_mirror import mirrored
from tests.instruments.npm_registry import Registry
from tests.instruments.npm_world import INSTALLED as PACKAGES
from tests.instruments.origin import Origin
from tests.instruments.python_index import Kind
from tests.instruments.python_packages import INSTALLED
from tests.instruments.server import served

pytestmark = pytest.mark.timeout(300)
both = pytest.mark.parametrize("kind", ["real", "poor"])


@both
def test_requirements(tmp_path: Path, kind: Kind) -> None:
    requirements = tmp_path / "requirements.txt"
    with mirrored(tmp_path / "mirror", kind) as mirror:
        files = {file.version: file for file in mirror.index.projects["app"].files}
        hashed = f" --hash=sha256:{files[INSTALLED['app']].sha256}"
        lines = [f"{name}=={version}{hashed * (name == 'app')}" for name, version in INSTALLED.items()]
        requirements.write_text("\n".join([*lines, 'windows-only==1.0 ; sys_platform == "none"']))
        config = ("--config", str(mirror.server.folder / "config.toml"))
        assert main(["warm", "-r", str(requirements), *config]) == 0
        mirror.index.down()
        client = Client(tmp_path, mirror.server.url("/pypi/simple/"))
        wanted = [f"{name}=={version}" for name, version in INSTALLED.items()]
        for install in (pip(client, sys.executable, *wanted), uv(client, *wanted)):
            assert versions(install) == INSTALLED


@both
async def test_package_lock(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    needed("npm")
    async with Origin() as origin:
        registry = Registry(origin, kind, "/n0")
        with served(tmp_path / "mirror", npm_house.config(origin, 1)) as server:
            project = Project(tmp_path, NPM, ["npm"], server.url("/n0"))
            tree = await project.install()
            config = ["--config", str(server.folder / "config.toml")]
            lock = tmp_path / "package-lock.json"
            lock.write_bytes(project.lock())
            assert await asyncio.to_thread(main, ["purge", "--everything", "--yes", *config]) == 0
            origin.forget()
            assert await asyncio.to_thread(main, ["warm", "-r", str(lock), "--mirror", "n0", *config]) == 0
            assert all(registry.asked(version.path) == 1 for version in PACKAGES.values())
            origin.down()
            assert await project.install(frozen=True) == tree
            assert "failed" not in capsys.readouterr().out
