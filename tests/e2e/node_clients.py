"""npm, pnpm and both Yarns in a home of their own, which begins empty; this machine's npm fetches the others."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from mirror import clients
from mirror.errors import Unavailable
from tests.instruments.npm_world import PROJECT

NPM = "npm"
FETCHED = ("npm newest", "pnpm", "yarn 1", "yarn 4")
_SCRIPTS = {
    "npm newest": "npm/bin/npm-cli.js",
    "pnpm": "pnpm/bin/pnpm.cjs",
    "yarn 1": "yarn/bin/yarn.js",
    "yarn 4": "@yarnpkg/cli-dist/bin/yarn.js",
}


def needed(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def fetched(folder: Path) -> dict[str, list[str]]:
    """The command of each client that is not npm itself, as npm installs them into `folder`."""
    needed("npm")
    try:
        clients.discover("npm", "npm", frozenset())
    except Unavailable as error:
        pytest.skip(str(error))
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    install = ["npm", "install", *options, "npm@latest", "pnpm@10", "yarn@1", "@yarnpkg/cli-dist@4"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    return {name: ["node", str(folder / "node_modules" / script)] for name, script in _SCRIPTS.items()}


class Home:
    """A user's home and a project in `folder`; `run` is a client in the project, with little of this environment."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = folder / "project"
        for each in (self.home, self.project):
            each.mkdir()
        kept = ("PATH", "LANG", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
        self.env = {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(self.home)}
        self.env["YARN_CACHE_FOLDER"] = str(self.home / "yarn")  # Yarn 1 run by root has one cache for all homes

    async def run(self, *command: str) -> str:
        """What the client prints; it has to succeed."""
        code, said = await self.tried(*command)
        assert code == 0, f"{command}: {said[-3000:]}"
        return said

    async def tried(self, *command: str) -> tuple[int, str]:
        """In a thread: the upstream lives in this one."""
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=self.project, env=self.env, capture_output=True, text=True, timeout=120
        )
        return done.returncode, done.stdout + done.stderr * bool(done.returncode)


@dataclass(frozen=True, slots=True)
class Client:
    """How one client installs, as it likes and exactly what its lock file says; `varying`: names of what need not be
    the same twice. `elsewhere`: what its lock file calls an address that is not the usual one ("": it records all)."""

    install: tuple[str, ...]
    frozen: tuple[str, ...]
    lock: str
    elsewhere: str = ""
    varying: frozenset[str] = frozenset()


_QUICK = ("--fetch-retry-mintimeout=1", "--fetch-retry-maxtimeout=10", "--no-fund")
_NPM = Client(("install", *_QUICK), ("ci", *_QUICK), "package-lock.json")
CLIENTS = {
    "npm": _NPM,
    "npm newest": _NPM,
    "pnpm": Client(
        ("install", "--no-frozen-lockfile"),
        ("install", "--frozen-lockfile"),
        "pnpm-lock.yaml",
        "tarball:",
        frozenset({".bin", ".modules.yaml", ".pnpm-workspace-state.json", ".pnpm-workspace-state-v1.json"}),
    ),
    "yarn 1": Client(
        ("install", "--non-interactive"), ("install", "--non-interactive", "--frozen-lockfile"), "yarn.lock"
    ),
    "yarn 4": Client(("install",), ("install", "--immutable"), "yarn.lock", "__archiveUrl"),
}


class Project(Home):
    """A project that needs all of the world, and one client that installs it from `registry`, the mount's address."""

    def __init__(self, folder: Path, client: str, command: list[str], registry: str) -> None:
        super().__init__(folder)
        self.client = CLIENTS[client]
        self._command = command
        self._registry = registry
        self.env |= {"CI": "", "YARN_NODE_LINKER": "node-modules", "YARN_ENABLE_TELEMETRY": "0"}
        self.env |= {"YARN_ENABLE_SCRIPTS": "1", "YARN_NPM_REGISTRY_SERVER": registry}
        self.env |= {"YARN_UNSAFE_HTTP_WHITELIST": "127.0.0.1"}

    async def install(self, *, frozen: bool = False) -> Mapping[str, bytes]:
        """What is in node_modules then, all caches and (not frozen) the lock file having been thrown away before."""
        lock = self.lock() if frozen else b""
        for each in (self.home, self.project):
            shutil.rmtree(each)
            each.mkdir()
        manifest = {"name": "x", "version": "1.0.0", "private": True, "dependencies": PROJECT}
        built = {"pnpm": {"onlyBuiltDependencies": ["built"]}, "allowScripts": {"built": True}}
        (self.project / "package.json").write_text(json.dumps(manifest | built))
        (self.project / ".npmrc").write_text(f"registry={self._registry}/\n")
        if frozen:
            (self.project / self.client.lock).write_bytes(lock)
        elif self.client.lock == "yarn.lock":
            (self.project / "yarn.lock").touch()  # Yarn 4: the project is this folder
        await self.run(*self._command, *(self.client.frozen if frozen else self.client.install))
        return self._tree()

    def lock(self) -> bytes:
        return (self.project / self.client.lock).read_bytes()

    def _tree(self) -> Mapping[str, bytes]:
        found = {}
        for path in (self.project / "node_modules").rglob("*"):
            name = str(path.relative_to(self.project))
            if self.client.varying.intersection(path.parts):
                continue
            if path.is_symlink():
                found[name] = os.fsencode(path.readlink())
            elif path.is_file():
                found[name] = path.read_bytes()
        return found
