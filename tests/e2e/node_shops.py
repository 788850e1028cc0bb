"""How each npm client gets one package: as it likes, by its version, and as its lock file says, caches empty."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.node_clients import Home


@dataclass(frozen=True, slots=True)
class Bought:
    """The version that is there then ("": none), and what the client printed."""

    version: str
    said: str


@dataclass(frozen=True, slots=True)
class Words:
    """How a client is told to add a package, and to install exactly what its lock file says."""

    add: tuple[str, ...]
    frozen: tuple[str, ...]
    lock: str


_NPM = ("--no-audit", "--no-fund", "--fetch-retries=0")
WORDS = {
    "npm": Words(("install", *_NPM), ("ci", *_NPM), "package-lock.json"),
    "pnpm": Words(("add",), ("install", "--frozen-lockfile"), "pnpm-lock.yaml"),
    "yarn 1": Words(("add", "--non-interactive"), ("install", "--non-interactive", "--frozen-lockfile"), "yarn.lock"),
    "yarn 4": Words(("add",), ("install", "--immutable"), "yarn.lock"),
}


class Shop(Home):
    """One client in a project that gets `package` from `registry`, the mirror's address."""

    def __init__(self, folder: Path, client: str, command: list[str], registry: str, package: str) -> None:
        super().__init__(folder)
        self._words = WORDS[client]
        self._command, self._registry, self._package = command, registry, package
        self._kept: dict[str, bytes] = {}
        self.env |= {"CI": "", "YARN_NODE_LINKER": "node-modules", "YARN_ENABLE_TELEMETRY": "0"}
        self.env |= {"YARN_NPM_REGISTRY_SERVER": registry, "YARN_UNSAFE_HTTP_WHITELIST": "127.0.0.1"}
        self.env |= {"YARN_HTTP_RETRY": "0", "YARN_NPM_MINIMAL_AGE_GATE": "0"}  # the mirror's age alone counts

    async def buy(self, version: str = "") -> Bought:
        """Into an empty project; "": whichever version the client takes."""
        self.empty()
        return await self.again(version)

    async def again(self, version: str = "") -> Bought:
        """Into a project that is empty, with the caches that it had before."""
        self._clear(self.project, {"package.json": b'{"name": "x", "version": "1.0.0", "private": true}'})
        if self._words.lock == "yarn.lock":
            (self.project / "yarn.lock").touch()  # Yarn 4: the project is this folder
        return await self._bought(*self._words.add, self._package + f"@{version}" * bool(version))

    async def lock(self) -> None:
        """Keep what `buy` has written."""
        assert (await self.buy()).version
        self._kept = {name: (self.project / name).read_bytes() for name in ("package.json", self._words.lock)}

    async def frozen(self) -> Bought:
        """As the lock file says, into an empty project."""
        self.empty()
        self._clear(self.project, self._kept)
        got = await self._bought(*self._words.frozen)
        assert (self.project / self._words.lock).read_bytes() == self._kept[self._words.lock]
        return got

    def empty(self) -> None:
        """All caches are."""
        self._clear(self.home, {})

    def _clear(self, folder: Path, files: dict[str, bytes]) -> None:
        shutil.rmtree(folder)
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_bytes(text)
        if folder == self.project:
            (folder / ".npmrc").write_text(f"registry={self._registry}/\nfetch-retries=0\n")

    async def _bought(self, *words: str) -> Bought:
        code, said = await self.tried(*self._command, *words)
        manifest = self.project / "node_modules" / self._package / "package.json"
        version = json.loads(manifest.read_text())["version"] if manifest.exists() else ""
        assert not (code and version), (code, version, said)
        return Bought(version, said)
