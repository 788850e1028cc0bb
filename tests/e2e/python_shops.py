"""How each Python client gets one package: as it likes, by its version, and as its lock file says, caches empty."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.e2e.python_clients import UV, Client, poetry_project, tree, uv_project, versions


@dataclass(frozen=True, slots=True)
class Bought:
    """The version that is there then ("": none), and what the client printed."""

    version: str
    said: str


class Shop(Protocol):
    """One client that gets `package`."""

    def __init__(self, client: Client, python: str, package: str) -> None: ...

    def buy(self, version: str = "", *, cached: bool = False) -> Bought:
        """Into an empty place; "": whichever version the client takes; `cached`: its cache is what it has left."""

    def lock(self, address: str = "") -> None:
        """Write a lock file; what is there has to be right. `address`: of the package's file, where it is to be in it
        though the client writes names, versions and hashes."""

    def frozen(self) -> Bought:
        """As the lock file says, into an empty place."""


class Pip:
    """`python` has pip. Its lock is `requirements.txt` with hashes."""

    def __init__(self, client: Client, python: str, package: str) -> None:
        self._client, self._python, self._package = client, python, package
        self._options = ("--index-url", client.index)
        self._requirements = client.fresh() / "requirements.txt"

    def buy(self, version: str = "", *, cached: bool = False) -> Bought:
        return self._bought(self._package + f"=={version}" * bool(version), *("--no-cache-dir",) * (not cached))

    def lock(self, address: str = "") -> None:
        report = self._requirements.with_name("report.json")
        options = ("-q", "--no-cache-dir", "--dry-run", "--ignore-installed", "--report", str(report), *self._options)
        self._client.run(self._python, "-m", "pip", "install", *options, self._package)
        (found,) = json.loads(report.read_text())["install"]
        digest = f"--hash=sha256:{found['download_info']['archive_info']['hashes']['sha256']}"
        what = f" @ {address}" if address else f"=={found['metadata']['version']}"
        self._requirements.write_text(f"{self._package}{what} {digest}\n")

    def frozen(self) -> Bought:
        return self._bought("--no-cache-dir", "--require-hashes", "-r", str(self._requirements))

    def _bought(self, *what: str) -> Bought:
        target = self._client.fresh()
        options = (*self._options, "--no-compile", "--target", str(target))
        return bought(target, *self._client.tried(self._python, "-m", "pip", "install", *options, *what))


class Uv:
    """uv, whose lock file is of a project."""

    def __init__(self, client: Client, python: str, package: str) -> None:
        self._client, self._package = client, package
        self._project = Path()

    def buy(self, version: str = "", *, cached: bool = False) -> Bought:
        target, what = self._client.fresh(), self._package + f"=={version}" * bool(version)
        options = (*("--no-cache",) * (not cached), "--python", sys.executable, "--default-index", self._client.index)
        return bought(target, *self._client.tried(UV, "pip", "install", *options, "--target", str(target), what))

    def lock(self, address: str = "") -> None:
        self._project = uv_project(self._client, self._package)
        self._client.run(UV, "lock", "-q", "--no-cache", "--python", sys.executable, cwd=self._project)

    def frozen(self) -> Bought:
        place = self._project / ".venv"
        shutil.rmtree(place, ignore_errors=True)
        command = (UV, "sync", "--no-cache", "--frozen", "--python", sys.executable)
        return bought(place, *self._client.tried(*command, cwd=self._project))


class Poetry:
    """`python` has Poetry."""

    def __init__(self, client: Client, python: str, package: str) -> None:
        self._client, self._python, self._package = client, python, package
        self._project = Path()

    def buy(self, version: str = "", *, cached: bool = False) -> Bought:
        assert not cached
        return self._tried(poetry_project(self._client, self._package + f"=={version}" * bool(version)), "install")

    def lock(self, address: str = "") -> None:
        self._project = poetry_project(self._client, self._package + f" @ {address}" * bool(address))
        said = self._tried(self._project, "lock").said
        assert (self._project / "poetry.lock").exists(), said

    def frozen(self) -> Bought:
        return self._tried(self._project, "sync")

    def _tried(self, project: Path, *command: str) -> Bought:
        place = project / ".venv"
        shutil.rmtree(place, ignore_errors=True)
        self._client.env["POETRY_CACHE_DIR"] = str(self._client.fresh())
        return bought(place, *self._client.tried(self._python, "-m", "poetry", *command, cwd=project))


def bought(place: Path, code: int, said: str) -> Bought:
    """What is installed at a place; a client that says it failed has installed nothing."""
    folder = next(place.glob("lib/python*/site-packages"), place)
    found = versions(tree(folder))
    (version,) = found.values() or ("",)
    assert not (code and version), (code, found, said)
    return Bought(version, said)
