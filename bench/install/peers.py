"""Caches for pip, npm and apt, each started as its users would: on a loopback port, all its files in one folder."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.instruments.installs import Failed
from tests.instruments.peers import PATH, running
from tests.instruments.ports import free_port
from tests.instruments.server import served

_OWNER = "root"  # the user whom devpi has from the start

MIRROR = """
[mirrors.pypi]
ecosystem = "pypi"
[mirrors.npm]
ecosystem = "npm"
[mirrors.debian]
ecosystem = "apt"
"""

VERDACCIO = """
storage: {folder}/storage
uplinks:
  origin:
    url: {upstream}/
packages:
  '@*/*':
    access: $all
    proxy: origin
  '**':
    access: $all
    proxy: origin
log: {{type: stdout, format: pretty, level: warn}}
"""

CACHER = """
CacheDir: {folder}/cache
LogDir: {folder}/logs
BindAddress: 127.0.0.1
Port: {port}
SocketPath: {folder}/socket
PidFile: {folder}/pid
ForeGround: 1
"""


def program(peers: Path, place: str) -> Path | None:
    """The program below the peers' folder, or where the system has it."""
    if (peers / place).exists():
        return (peers / place).absolute()
    found = shutil.which(Path(place).name, path=PATH)
    return Path(found) if found else None


@contextmanager
def mirror(path: str, folder: Path) -> Iterator[str]:
    """This project's server, with all settings at their defaults; `path` is below it."""
    with served(folder, MIRROR) as server:
        yield server.url(path)


@contextmanager
def devpi(server: Path, folder: Path, upstream: str) -> Iterator[str]:
    """devpi-server with one mirror index. It is not asked for the list of all projects, which it reads otherwise."""
    port, state = free_port(), str(folder / "state")
    initial = [str(server.with_name("devpi-init")), "--serverdir", state, "--no-root-pypi"]
    subprocess.run(initial, check=True, capture_output=True)
    with running([str(server), "--serverdir", state, "--host", "127.0.0.1", "--port", str(port)], port, folder):
        login = _send(port, "POST", "/+login", {"user": _OWNER, "password": ""})
        auth = base64.b64encode(f"{_OWNER}:{login['result']['password']}".encode()).decode()
        index = {"type": "mirror", "mirror_url": f"{upstream}/", "mirror_no_project_list": True}
        _send(port, "PUT", f"/{_OWNER}/origin", index, **{"X-Devpi-Auth": auth})
        yield f"http://127.0.0.1:{port}/{_OWNER}/origin/+simple/"


@contextmanager
def proxpi(gunicorn: Path, folder: Path, upstream: str) -> Iterator[str]:
    """proxpi below Gunicorn with two threads, as in its container."""
    port = free_port()
    command = [str(gunicorn), "--threads", "2", "--bind", f"127.0.0.1:{port}", "proxpi.server:app"]
    env = {"PROXPI_INDEX_URL": f"{upstream}/", "PROXPI_CACHE_DIR": str(folder / "files")}
    with running(command, port, folder, **env, HOME=str(folder)):  # where Gunicorn puts its control socket
        yield f"http://127.0.0.1:{port}/index/"


@contextmanager
def verdaccio(script: Path, folder: Path, upstream: str) -> Iterator[str]:
    """Verdaccio with its default settings and one uplink."""
    port = free_port()
    config = folder / "config.yaml"
    config.write_text(VERDACCIO.format(folder=folder, upstream=upstream))
    command = ["node", str(script), "--config", str(config), "--listen", f"127.0.0.1:{port}"]
    with running(command, port, folder):
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def cacher(server: Path, folder: Path, upstream: str) -> Iterator[str]:
    """apt-cacher-ng, asked with the archive's host as the beginning of the path."""
    port, parts = _low_port(), urlsplit(upstream)
    (folder / "acng.conf").write_text(CACHER.format(folder=folder, port=port))
    with running([str(server), "-c", str(folder)], port, folder):
        tls = "/HTTPS//" if parts.scheme == "https" else ""
        yield f"http://127.0.0.1:{port}{tls}/{parts.netloc}{parts.path}"


def _low_port() -> int:
    """One that fits into 15 bits: apt-cacher-ng 3.7.4 cannot bind the ports above."""
    for port in range(3142, 1 << 15):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Failed("no port below 32768 is free")


def _send(port: int, method: str, path: str, body: dict[str, Any], **fields: str) -> Any:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    known = {"Content-Type": "application/json", "Accept": "application/json"}
    try:
        connection.request(method, path, json.dumps(body), {**known, **fields})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise Failed(f"{method} {path}: {answer.status} {text[-500:]!r}")
        return json.loads(text)
    finally:
        connection.close()
