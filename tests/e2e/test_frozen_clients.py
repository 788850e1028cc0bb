"""The same build a month later: uv, npm and apt-get, asked as of a day, get what there was on that day."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import npm_house
from tests.e2e.apt_rig import AT_ONCE, HEAD, Rig, mirror
from tests.e2e.node_clients import Home, needed
from tests.e2e.python_clients import Client, uv, versions
from tests.instruments.archive import Archive
from tests.instruments.gated import DAY, SIMPLE, written
from tests.instruments.generation import COMMON
from tests.instruments.npm_registry import Registry
from tests.instruments.npm_world import Version
from tests.instruments.origin import Origin
from tests.instruments.python_index import PythonIndex, python_index
from tests.instruments.python_packages import File, Needs, Project, wheel
from tests.instruments.server import Served, served
from tests.instruments.signer import Signer


def then() -> str:
    """The day that is asked for: a month ago."""
    return written(time.time() - 30 * DAY)[:10]


def ago(days: int) -> str:
    return written(time.time() - days * DAY)


class TestPython:
    @pytest.fixture
    def index(self) -> Iterator[PythonIndex]:
        with python_index("real", filled=False) as index:
            yield index

    @pytest.fixture
    def server(self, index: PythonIndex, tmp_path: Path) -> Iterator[Served]:
        config = f"""
[cache]
min_free = "1MB"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{index.simple}"
allow_private = true
ttl = "0s"
grace = "0s"
"""
        with served(tmp_path / "mirror", config, workers=2) as server:
            yield server

    def publish(self, index: PythonIndex, name: str, dated: dict[File, int]) -> None:
        """The project with these files, each published so many days ago."""
        index.publish(Project(name, tuple(dated)))
        files = [
            {
                "filename": file.name,
                "url": index.files.url(file.path),
                "hashes": {"sha256": file.sha256},
                "upload-time": ago(days),
            }
            for file, days in dated.items()
        ]
        page = {"meta": {"api-version": "1.1"}, "name": name, "versions": [], "files": files}
        index.index.route(f"/simple/{name}/", headers=[("content-type", SIMPLE)], body=json.dumps(page).encode())

    def test_uv_gets_what_there_was(self, index: PythonIndex, server: Served, tmp_path: Path) -> None:
        app, core = wheel("app", "1.0", Needs(["core>=1"])), wheel("core", "1.2")
        self.publish(index, "app", {app: 300})
        self.publish(index, "core", {core: 40})
        client = Client(tmp_path / "uv", server.url(f"/pypi@{then()}/simple/"))
        before = uv(client, "app")
        assert versions(before) == {"app": "1.0", "core": "1.2"}
        self.publish(index, "app", {app: 300, wheel("app", "2.0", Needs(["core>=2"])): 1})
        self.publish(index, "core", {core: 40, wheel("core", "1.3"): 20, wheel("core", "2.0"): 1})
        assert uv(client, "app") == before
        client.index = server.url("/pypi/simple/")
        assert versions(uv(client, "app")) == {"app": "2.0", "core": "2.0"}


async def test_npm_gets_what_there_was(tmp_path: Path) -> None:
    needed("npm")
    async with Origin() as origin:
        with served(tmp_path / "mirror", npm_house.config(origin, 1)) as server:
            registry = Registry(origin, "real", "/s0")
            registry.publish(Version("dated", "1.0.0", {"dependencies": {"deep": "^1.0.0"}}, published=ago(300)))
            registry.publish(Version("deep", "1.2.0", published=ago(40)))
            home = Home(tmp_path)
            address = server.url(f"/s0@{then()}")
            before = await installed(home, address)
            assert before == {"dated": "1.0.0", "deep": "1.2.0"}
            locked = (home.project / "package-lock.json").read_text()
            assert f"/s0@{then()}/deep/-/deep-1.2.0.tgz" in locked
            registry.publish(Version("dated", "2.0.0", {"dependencies": {"deep": "^2.0.0"}}, published=ago(1)))
            registry.publish(Version("deep", "1.3.0", published=ago(20)))
            registry.publish(Version("deep", "2.0.0", published=ago(1)))
            assert await installed(home, address) == before
            assert (home.project / "package-lock.json").read_text() == locked
            code, said = await home.tried("npm", "install", "dated@2.0.0")
            assert code != 0
            assert f"this is the index as of {then()}" in said
            assert await installed(home, server.url("/s0")) == {"dated": "2.0.0", "deep": "2.0.0"}


async def test_apt_gets_what_there_was(tmp_path: Path, signer: Signer) -> None:
    async with Origin() as origin:
        archive = Archive(origin, signer, poor=False, layout=COMMON)
        config = HEAD.format(upstream="retries = 0") + mirror(origin.port, f'{AT_ONCE}\nsnapshots = "30d"')
        with served(tmp_path / "mirror", config, workers=2) as server:
            rig = Rig(tmp_path, archive, server, f"m{origin.port}")
            assert await rig.client("before").updated() == 1
            when = written(time.time() + 1)[:19] + "Z"
            await asyncio.sleep(2)  # the server's clock is the machine's
            archive.make()
            archive.show("*")
            await rig.caught_up(rig.client("now"))
            assert await rig.client("then", f"{rig.url}@{when}").updated() == 1
            early = await rig.client("early", f"{rig.url}@2020-01-01").update()
            assert early.code != 0
            assert "404" in early.text


async def installed(home: Home, registry: str) -> dict[str, str]:
    """What `npm install dated` brings into an empty project, by package."""
    for path in sorted(home.project.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    (home.project / ".npmrc").write_text(f"registry={registry}/\nfund=false\naudit=false\nprefer-online=true\n")
    (home.project / "package.json").write_text('{"name": "x", "version": "1.0.0", "private": true}')
    await home.run("npm", "install", "dated")
    found = sorted((home.project / "node_modules").glob("*/package.json"))
    return {path.parent.name: json.loads(path.read_text())["version"] for path in found}
