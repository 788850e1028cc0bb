"""Each npm client installs the world through a mirror: cold, warm, with the upstream down, and from its lock file."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Mapping
from itertools import product
from pathlib import Path

import pytest

from tests.e2e import npm_house
from tests.e2e.node_clients import CLIENTS, FETCHED, NPM, Project, needed
from tests.instruments.npm_registry import Registry
from tests.instruments.npm_world import INSTALLED, WORLD
from tests.instruments.origin import Origin
from tests.instruments.server import Served, served

pytestmark = pytest.mark.timeout(300)

# What the newest npm asks for differs little from npm's, so it meets one kind of upstream.
EACH = [
    pytest.param(client, kind, marks=[] if client == NPM else pytest.mark.live)
    for client, kind in product((NPM, *FETCHED), ("real", "poor"))
    if (client, kind) != ("npm newest", "poor")
]


class House:
    """A mirror at `/n0`, the registry behind it, and a project of one client."""

    def __init__(self, registry: Registry, server: Served, project: Project) -> None:
        self.registry = registry
        self.server = server
        self.project = project

    def empty(self) -> None:
        """The cache is lost; the mirror's address stays."""
        self.server.stop()
        shutil.rmtree(self.server.cache)
        self.server.start()
        self.registry.origin.forget()

    def asked_once(self) -> bool:
        """True where each tarball was asked for upstream once; those of another system may have been left out."""
        counted = {version.name: self.registry.asked(version.path) for version in WORLD}
        assert max(counted.values()) == 1, counted
        return all(counted[name] for name in INSTALLED)


@pytest.fixture
async def house(request: pytest.FixtureRequest, tmp_path: Path, client: str, kind: str) -> AsyncIterator[House]:
    needed("npm")
    command = ["npm"] if client == NPM else request.getfixturevalue("tools")[client]
    async with Origin() as origin:
        with served(tmp_path / "mirror", npm_house.config(origin, 1)) as server:
            yield House(Registry(origin, kind, "/n0"), server, Project(tmp_path, client, command, server.url("/n0")))


def right(tree: Mapping[str, bytes]) -> bool:
    """True where each package of the world is there that should be, whole, and no other."""
    suffix = "/package.json"
    found = {name.removesuffix(suffix): json.loads(text) for name, text in tree.items() if name.endswith(suffix)}
    packages = {f"{said['name']}@{said['version']}": folder for folder, said in found.items()}
    assert packages.keys() == INSTALLED.keys()
    for name, folder in packages.items():
        assert tree[f"{folder}/data.bin"] == INSTALLED[name].noise, name
    return tree[f"{packages['built@1.0.0']}/made.txt"] == b"made"


def told_where(client: str, lock: bytes) -> bool:
    """True where the lock file has no address but of the tarball whose name is not the usual one (B.3.3)."""
    word = CLIENTS[client].elsewhere
    told = [line for line in lock.decode().splitlines() if word in line]
    return not word or (len(told) == 1 and "legacy-v1.tgz" in told[0])


@pytest.mark.parametrize(("client", "kind"), EACH)
async def test_installs_are_the_same_cold_warm_upstream_down_and_by_lock_file_on_a_lost_cache(
    house: House, client: str, kind: str
) -> None:
    cold = await house.project.install()
    lock = house.project.lock()
    assert right(cold)
    assert told_where(client, lock)
    if kind == "real":
        assert await house.project.install() == cold
        assert house.project.lock() == lock
    house.registry.origin.down()
    assert await house.project.install() == cold
    assert house.project.lock() == lock
    assert house.asked_once()
    house.registry.origin.up()
    house.empty()
    assert await house.project.install(frozen=True) == cold
    assert house.project.lock() == lock
    assert house.asked_once()
