"""pip in two ages, uv and Poetry, each in a home of its own and without a cache of its own, set to one index."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

UV = str(Path(sys.executable).with_name("uv"))
_KEPT = ("PATH", "LANG", "SSL_CERT_FILE")
_PASSING = {".pyc", ".lock", ".pth"}  # files that hold times, or are a client's own affair
_NOBODY = "http://127.0.0.1:9"
_SETTINGS = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _NOBODY),  # whoever asks another host learns of it
    "NO_PROXY": "127.0.0.1",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_NO_PROGRESS": "1",
    "POETRY_VIRTUALENVS_IN_PROJECT": "1",
    "POETRY_VIRTUALENVS_OPTIONS_NO_PIP": "1",
    "POETRY_KEYRING_ENABLED": "0",
    "POETRY_NO_INTERACTION": "1",
}
Tree = dict[str, str]


@dataclass
class Client:
    """One client. `folder` is its own, below it `home` and a project for each run."""

    folder: Path
    index: str
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        self.env = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self.env |= _SETTINGS | {"HOME": str(home), "XDG_CONFIG_DIRS": str(home)}

    def run(self, *command: str, cwd: Path | None = None) -> str:
        """What it prints; it has to succeed."""
        code, said = self.tried(*command, cwd=cwd)
        assert code == 0, f"{command}: {said[-3000:]}"
        return said

    def tried(self, *command: str, cwd: Path | None = None) -> tuple[int, str]:
        done = subprocess.run(
            command, cwd=cwd or self.folder, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout + done.stderr * bool(done.returncode)

    def fresh(self) -> Path:
        """An empty folder."""
        return Path(tempfile.mkdtemp(dir=self.folder))


def pip(client: Client, python: str, *what: str, more: tuple[str, ...] = ()) -> Tree:
    """What `pip install` puts into an empty folder."""
    target = client.fresh()
    options = ("--no-cache-dir", "--no-compile", "--target", str(target), "--index-url", client.index, *more)
    client.run(python, "-m", "pip", "install", "-q", *options, *what)
    return tree(target)


def uv(client: Client, *what: str, more: tuple[str, ...] = ()) -> Tree:
    """What `uv pip install` does."""
    target = client.fresh()
    options = ("--no-cache", "--python", sys.executable, "--target", str(target), "--default-index", client.index)
    client.run(UV, "pip", "install", "-q", *options, *more, *what)
    return tree(target)


def uv_project(client: Client, need: str = "app") -> Path:
    """A project that needs that, for `uv lock` and `uv sync`."""
    project = client.fresh()
    source = f'[[tool.uv.index]]\nname = "m"\nurl = "{client.index}"\ndefault = true\n'
    (project / "pyproject.toml").write_text(f"{_PROJECT.format(need=need)}{source}")
    return project


def poetry_project(client: Client, need: str = "app") -> Path:
    """The same for `poetry lock` and `poetry install`."""
    project = client.fresh()
    source = f'[tool.poetry]\npackage-mode = false\n[[tool.poetry.source]]\nname = "m"\nurl = "{client.index}"\n'
    (project / "pyproject.toml").write_text(f"{_PROJECT.format(need=need)}{source}")
    return project


def poetry(client: Client, program: str, project: Path) -> Tree:
    """What `poetry install` puts into an environment of the project's own; `program` is a Python that has Poetry."""
    for folder in (".venv", ".cache"):
        shutil.rmtree(project / folder, ignore_errors=True)
    client.env["POETRY_CACHE_DIR"] = str(project / ".cache")
    client.run(program, "-m", "poetry", "install", "-q", cwd=project)
    return tree(next((project / ".venv/lib").glob("python*/site-packages")))


_PROJECT = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11,<4"\ndependencies = ["{need}"]\n'


def tree(folder: Path) -> Tree:
    """The files below a folder, less those that hold times: path -> digest."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in _PASSING)
    found = {str(path.relative_to(folder)): path for path in files if path.name != ".lock"}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items() if "_virtualenv" not in name
    }


def versions(installed: Tree) -> dict[str, str]:
    """The projects in a tree, by normalised name, and their versions."""
    folders = {name.split("/")[0] for name in installed if ".dist-info/" in name}
    pairs = (folder.removesuffix(".dist-info").rsplit("-", 1) for folder in folders)
    return {name.replace("_", "-").replace(".", "-").lower(): version for name, version in pairs}


def fetched(config: pytest.Config, name: str, fill: Callable[[Path], None]) -> Path:
    """A folder that `fill` has filled, once on this machine; the test is skipped where that does not succeed."""
    cache = getattr(config, "cache", None)
    root = Path(cache.mkdir("clients")) if cache else Path(tempfile.gettempdir()) / "mirror-test-clients"
    folder = root / name
    if not folder.exists():
        root.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=root))
        try:
            fill(made)
            made.replace(folder)
        except (subprocess.SubprocessError, OSError) as error:
            shutil.rmtree(made, ignore_errors=True)
            pytest.skip(f"{name} cannot be fetched: {getattr(error, 'stderr', '') or error}")
    return folder


def newest(program: str, folder: Path) -> None:
    """An environment with the newest of a program, as this machine's pip gets it; SubprocessError where it cannot."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, capture_output=True)
    options = ("-q", "--disable-pip-version-check", "--python", str(folder / "bin/python"))
    command = [sys.executable, "-m", "pip", *options, "install", program]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)
