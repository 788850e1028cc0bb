"""Real clients that install what a lock names: each in a folder of its own, with no cache of its own, timed.

The locks hold names, versions and digests, and no address: where the bytes come from is the only difference between
two installs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

LOCKS = Path(__file__).parents[1] / "e2e" / "locks"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
Result = TypeVar("Result")
_OURS = ("pip_", "uv_", "npm_")


class Failed(Exception):
    """A client ended with an error; the text is what it printed."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Seconds that the client took; what it installed (as `tree` says it); and the lock files as it left them."""

    seconds: float
    files: dict[str, str]
    locks: dict[str, bytes]


def install(client: str, address: str | None, folder: Path) -> Installed:
    """Install by `client` (a key of CLIENTS) from `address`; None: from where this machine's client is set to.

    Nothing of it stays on disk. Raises Failed when it failed twice.
    """
    return twice(lambda: _timed(client, address, folder))


def lock(client: str) -> dict[str, bytes]:
    """The files that say what is installed: name -> bytes."""
    return {name: (LOCKS / name).read_bytes() for name in CLIENTS[client].locks}


def twice(work: Callable[[], Result]) -> Result:
    """Do it, once more when a client failed, because networks do."""
    try:
        return work()
    except Failed:
        return work()


def run(command: list[str], folder: Path, *, own: bool = False, **environment: str) -> None:
    """Run a client in `folder`; `own`: with all that this machine's environment sets for it. Raises Failed."""
    kept = {name: value for name, value in os.environ.items() if own or not name.lower().startswith(_OURS)}
    beside = ",".join(filter(None, ("127.0.0.1", os.environ.get("NO_PROXY") or os.environ.get("no_proxy"))))
    env = {**kept, "NO_PROXY": beside, "no_proxy": beside, **environment}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        raise Failed(f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def alone() -> dict[str, str]:
    """What makes pip read no settings of this machine's but the certificates that it trusts."""
    cert = os.environ.get("PIP_CERT")
    return {"PIP_CONFIG_FILE": os.devnull, **({"PIP_CERT": cert} if cert else {})}


def apt_options(state: Path, archive: str, suite: str) -> list[str]:
    """Options by which apt-get has the one archive as its source, and a state of its own below `state`."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True)
    sources = state / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {archive} {suite} main\n")
    (state / "status").touch()  # nothing is installed, so that all dependencies are wanted, on any machine
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::http::Proxy::127.0.0.1": "DIRECT",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def suite() -> str:
    """The code name of this machine's Debian."""
    release = Path("/etc/os-release").read_text()
    names = [line.partition("=")[2] for line in release.splitlines() if line.startswith("VERSION_CODENAME=")]
    return names[0] if names else "stable"


def tree(root: Path) -> dict[str, str]:
    """What is below `root`: relative path -> SHA-256 and whether it may be executed, or where a link leads."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            runs = " x" if path.stat().st_mode & 0o111 else ""
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() + runs
    return found


def _timed(client: str, address: str | None, folder: Path) -> Installed:
    folder.mkdir(parents=True)
    try:
        for name in CLIENTS[client].locks:
            shutil.copy(LOCKS / name, folder / name)
        begun = time.perf_counter()
        root = CLIENTS[client].run(address, folder)
        seconds = time.perf_counter() - begun
        return Installed(seconds, tree(root), {name: (folder / name).read_bytes() for name in CLIENTS[client].locks})
    finally:
        shutil.rmtree(folder)


def _pip(address: str | None, folder: Path) -> Path:
    quiet = ["-q", "--disable-pip-version-check", "--no-cache-dir", "--no-compile"]
    locked = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", "requirements.txt"]
    index = ["--index-url", address] if address else []
    command = [sys.executable, "-m", "pip", "install", *quiet, *locked, *index, "--target", "tree"]
    run(command, folder, own=address is None, **(alone() if address else {}))
    return folder / "tree"


def _npm(address: str | None, folder: Path) -> Path:
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--cache", str(folder / "cache")]
    # What is installed is recorded with where it came from, unless one says this.
    registry = ["--omit-lockfile-registry-resolved", *(["--registry", address] if address else [])]
    run(["npm", "ci", *quiet, *registry], folder, own=address is None)
    return folder / "node_modules"


def _apt(address: str | None, folder: Path) -> Path:
    if address is None:
        raise ValueError("apt has many sources: an archive has to be named")
    options = apt_options(folder / "state", address, suite())
    run(["apt-get", *options, "-q", "update"], folder)
    names = (folder / "debian.txt").read_text().split()
    only = ["-q", "-y", "--no-install-recommends", "--download-only"]
    run(["apt-get", *options, *only, "install", *names], folder, DEBIAN_FRONTEND="noninteractive")
    return folder / "state/cache/archives"


@dataclass(frozen=True, slots=True)
class Client:
    """How a client installs, and which files are its lock."""

    run: Callable[[str | None, Path], Path]
    locks: tuple[str, ...]


CLIENTS = {
    "pip": Client(_pip, ("requirements.txt",)),
    "npm": Client(_npm, ("package.json", "package-lock.json")),
    "apt": Client(_apt, ("debian.txt",)),
}
