"""Real clients in a home of their own: after `mirror setup --write` they ask the mirror, after `--undo` as before.

What they download comes from a fake upstream. pnpm and Yarn are fetched from the registry that this machine's npm is
set to.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mirror import clients, setup
from tests.e2e.node_clients import Home, needed
from tests.instruments.origin import Origin
from tests.instruments.server import ROOT, Served, served
from tests.instruments.thing import offer

pytestmark = pytest.mark.timeout(300)

CONFIG = """
[cache]
min_free = "1MB"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{0}/simple"
[mirrors.npm]
ecosystem = "npm"
upstream = "{0}/npm"
[mirrors.archive]
ecosystem = "apt"
upstream = "{0}/archive"
[mirrors.get]
ecosystem = "any"
allow = ["127.0.0.1:{1}"]
allow_private = true
"""
UV = str(Path(sys.executable).with_name("uv"))
OTHER = "http://127.0.0.1:9/"  # what a client is set to before; nobody is there


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    """A registry of each kind with one package, `thing`, and an archive without any."""
    async with Origin() as origin:
        offer(origin)
        yield origin


class House(Home):
    """A user's home beside a running mirror: `run` is a client in a project there, `setup` is the command."""

    def __init__(self, folder: Path, server: Served) -> None:
        super().__init__(folder)
        self.server = server
        self.env |= {
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONPATH": str(ROOT),
            "UV_HTTP_RETRIES": "0",
        }

    async def setup(self, client: str, *options: str) -> str:
        config = str(self.server.folder / "config.toml")
        return await self.run(sys.executable, "-m", "mirror", "setup", client, *options, "--config", config)

    def asked(self, path: str) -> list[str]:
        """What the mirror wrote down about requests for `path`: AssertionError where it answered none."""
        return self.server.answered(path)

    @property
    def address(self) -> str:
        return f"http://localhost:{self.server.port}"


@pytest.fixture
def house(tmp_path: Path, origin: Origin) -> Iterator[House]:
    with served(tmp_path / "mirror", CONFIG.format(origin.url(), origin.port)) as server:
        yield House(tmp_path, server)


async def test_pip_downloads_through_the_mirror_until_undo(house: House) -> None:
    pip = (sys.executable, "-m", "pip")
    await house.run(*pip, "config", "--user", "set", "global.timeout", "7")
    before = await house.run(*pip, "config", "list")
    await house.setup("pip", "--write")
    listed = await house.run(*pip, "config", "list")
    assert f"global.index-url='{house.address}/pypi/simple/'" in listed
    assert f"global.trusted-host='localhost:{house.server.port}'" in listed
    assert "global.timeout='7'" in listed
    await house.run(*pip, "download", "--no-deps", "thing")
    assert (house.project / "thing-1.0-py3-none-any.whl").read_bytes()[:2] == b"PK"
    assert house.asked("/pypi/simple/thing/")
    await house.setup("pip", "--undo")
    assert await house.run(*pip, "config", "list") == before


async def test_uv_installs_through_the_mirror_until_undo(house: House) -> None:
    needed(UV)
    file = house.home / ".config/uv/uv.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f'[[index]]\nname = "other"\nurl = "{OTHER}"\ndefault = true\n\n[pip]\nno-deps = true\n')
    before = file.read_bytes()
    install = (UV, "pip", "install", "--no-cache", "--python", sys.executable, "--target", "target", "thing")
    assert (await house.tried(*install))[0] != 0
    await house.setup("uv", "--write")
    await house.run(*install)
    assert (house.project / "target/thing-1.0.dist-info").is_dir()
    assert house.asked("/pypi/simple/thing/")
    await house.setup("uv", "--undo")
    assert file.read_bytes() == before
    assert (await house.tried(*install, "--reinstall"))[0] != 0


async def test_npm_installs_through_the_mirror_until_undo(house: House) -> None:
    needed("npm")
    (house.home / ".npmrc").write_text(f"fund=false\nregistry={OTHER}\n")
    await house.setup("npm", "--write")
    assert (await house.run("npm", "config", "get", "registry")).strip() == f"{house.address}/npm/"
    assert (await house.run("npm", "config", "get", "fund")).strip() == "false"
    assert (await house.run("npm", "view", "thing", "version")).strip() == "1.0.0"
    await house.run("npm", "install", "--no-audit", "thing")
    assert (house.project / "node_modules/thing/package.json").exists()
    assert house.asked("/npm/thing")
    await house.setup("npm", "--undo")
    assert (await house.run("npm", "config", "get", "registry")).strip() == OTHER


async def test_npm_that_rewrote_its_file_is_left_to_its_user(house: House) -> None:
    needed("npm")
    await house.setup("npm", "--write")
    await house.run("npm", "config", "set", "fund", "false")
    config = str(house.server.folder / "config.toml")
    code, said = await house.tried(sys.executable, "-m", "mirror", "setup", "npm", "--undo", "--config", config)
    assert (code, "take the mirror out by hand" in said) == (1, True)
    assert (await house.run("npm", "config", "get", "registry")).strip() == f"{house.address}/npm/"


async def test_apt_asks_the_mirror_until_undo(house: House, tmp_path: Path) -> None:
    needed("apt-get")
    for folder in ("etc/apt/sources.list.d", "state/lists/partial", "cache/archives/partial"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text("VERSION_CODENAME=bookworm\n")
    places = {"Dir::Etc": tmp_path / "etc/apt", "Dir::State": tmp_path / "state", "Dir::Cache": tmp_path / "cache"}
    settings = {**places, "APT::Sandbox::User": "root", "Acquire::Retries": "0"}
    apt = ["apt-get", *(part for name, value in settings.items() for part in ("-o", f"{name}={value}"))]
    machine = clients.Machine(house.env, tmp_path / "etc/apt", sys.executable)
    job = setup.prepare("apt", machine, house.server.folder / "config.toml")
    assert setup.write(job).failed == ()
    assert f"'{house.address}/archive/dists/bookworm/InRelease'" in await house.run(*apt, "update", "--print-uris")
    await house.tried(*apt, "update")  # which fails: the archive is empty
    assert house.asked("/archive/dists/bookworm/InRelease")
    assert setup.undo(job).failed == ()
    assert (await house.run(*apt, "update", "--print-uris")) == ""


async def test_curl_line_downloads_through_the_mirror(house: House, origin: Origin) -> None:
    needed("curl")
    assert "nothing to write" in await house.setup("curl", "--write")
    line = (await house.setup("curl")).replace("HOST/PATH", f"127.0.0.1:{origin.port}/npm/thing")
    line = line.replace("/https/", "/http/")
    await house.run(*line.split(), "-sf")
    assert json.loads((house.project / "thing").read_bytes())["name"] == "thing"
    assert house.asked("/get/http/")


@pytest.mark.live
@pytest.mark.parametrize(
    ("tool", "get", "slash"),
    [
        ("pnpm", ["config", "get", "registry"], "/"),
        ("yarn 1", ["config", "get", "registry"], "/"),
        ("yarn 4", ["config", "get", "npmRegistryServer"], ""),
    ],
)
async def test_pnpm_and_yarn_install_through_the_mirror_until_undo(
    house: House, tools: dict[str, list[str]], tool: str, get: list[str], slash: str
) -> None:
    (house.project / "package.json").write_text('{"name":"x","version":"1.0.0","dependencies":{"thing":"1.0.0"}}')
    house.env |= {"YARN_NODE_LINKER": "node-modules", "YARN_ENABLE_TELEMETRY": "0", "CI": ""}
    before = await house.run(*tools[tool], *get)
    await house.setup(tool.split()[0], "--write")
    assert (await house.run(*tools[tool], *get)).strip() == f"{house.address}/npm{slash}"
    await house.run(*tools[tool], "install")
    assert (house.project / "node_modules/thing/package.json").exists()
    assert house.asked("/npm/thing")
    await house.setup(tool.split()[0], "--undo")
    assert await house.run(*tools[tool], *get) == before
