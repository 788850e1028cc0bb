"""What this machine's own pip, npm and apt are set to: where an `auto` upstream comes from. They are asked."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from mirror import credentials, values
from mirror.errors import ConfigError, Unavailable

_MOST = 65536

# pip's own option parser knows the order of its environment, its files and its built-in index. A venv without pip still
# has the wheel that ensurepip would install (WHEEL_PKG_DIR: where distributions put it).
_ASK_PIP = """
import sys
try:
    import pip
except ImportError:
    import ensurepip, glob, os, sysconfig
    bundled = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
    for place in filter(None, (bundled, sysconfig.get_config_var("WHEEL_PKG_DIR"))):
        sys.path += glob.glob(os.path.join(place, "pip-*.whl"))
    try:
        import pip
    except ImportError:
        sys.exit(0)
from pip._internal.commands import create_command
print(create_command("install").parse_args([])[0].index_url)
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the clients are looked for. `apt` is apt's directory, `patience` the seconds that a client may take: pip
    that is not compiled yet needs 3 s of a fast processor."""

    env: Mapping[str, str] = field(repr=False)
    apt: Path
    python: str
    patience: float = 30.0

    @classmethod
    def here(cls) -> Machine:
        """This machine, with this process's environment and Python."""
        return cls(dict(os.environ), Path("/etc/apt"), sys.executable)

    def find(self, program: str) -> str | None:
        return shutil.which(program, path=self.env.get("PATH", os.defpath))


@dataclass(frozen=True, slots=True)
class Discovered:
    """An upstream's URL without trailing slash and credentials, and the credentials as (field name, value)."""

    url: str
    auth: tuple[str, str] | None = field(default=None, repr=False)


def discover(ecosystem: str, name: str, own: frozenset[str], *, machine: Machine | None = None) -> Discovered:
    """The upstream that this machine's own client of `ecosystem` is set to, for the mirror `name`.

    `own` are the `host:port` of this server. Raises Unavailable with the reason where there is no such upstream, and
    ConfigError for an ecosystem that has no client to ask. Takes as long as the client does.
    """
    machine = machine or Machine.here()
    match ecosystem:
        case "pypi":
            return _usable("pip", _pip(machine), ecosystem, own)
        case "npm":
            return _usable("npm", _npm(machine), ecosystem, own)
        case "apt":
            return _usable("apt", _apt(name, machine), ecosystem, own)
        case _:
            raise ConfigError([f"an {ecosystem} mirror needs a URL"])


def _usable(client: str, found: str, ecosystem: str, own: frozenset[str]) -> Discovered:
    try:
        parts = values.split(found)
        plain = values.plain(parts)
        known = (
            credentials.basic(unquote(parts.username or ""), unquote(parts.password or ""))
            if "@" in parts.netloc
            else None
        )
    except ConfigError as error:
        raise Unavailable(f"{client} on this machine is set to what cannot be an upstream: {error}") from error
    if values.authority(plain) in {values.authority(f"http://{place}") for place in own}:
        raise Unavailable(
            f"{client} on this machine is set to this mirror itself ({plain}): write its upstream into config.toml"
        )
    return Discovered(values.rooted(plain, ecosystem), known)


def _pip(machine: Machine) -> str:
    if index := machine.env.get("PIP_INDEX_URL", "").strip():
        return index
    failure: Unavailable | None = None
    for python in dict.fromkeys(filter(None, (machine.python, machine.find("python3")))):
        try:
            if said := _output("pip", [python, "-c", _ASK_PIP], machine).split():
                return said[-1]
        except Unavailable as error:
            failure = failure or error
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if index := machine.env.get(variable, "").strip():
            return re.sub(r"^[A-Za-z0-9_.-]+=", "", index)
    raise failure or Unavailable("pip is not installed on this machine")


def _npm(machine: Machine) -> str:
    npm = machine.find("npm")
    if npm is None:
        raise Unavailable("npm is not installed on this machine")
    said = _output("npm", [npm, "config", "get", "registry"], machine).split()
    if not said:
        raise Unavailable("npm on this machine names no registry")
    return said[-1]


def _apt(name: str, machine: Machine) -> str:
    """The archive whose last path segment is `name`; for `debian`, where none is, the first one."""
    archives = list(dict.fromkeys(_archives(machine)))
    remote = [archive for archive in archives if archive.startswith(("http://", "https://"))]
    named = [archive for archive in remote if archive.rstrip("/").rsplit("/", 1)[-1] == name]
    for archive in named or (remote if name == "debian" else []):
        return archive
    if not archives:
        raise Unavailable("apt on this machine has no sources")
    known = ", ".join(values.shown(archive) for archive in (remote or archives)[:5])
    if remote:
        raise Unavailable(f"apt on this machine has no archive whose path ends in /{name} (it has {known})")
    raise Unavailable(
        f"apt on this machine has no archive on http or https, and others cannot be mirrored (it has {known})"
    )


def _archives(machine: Machine) -> list[str]:
    """The URIs of apt's sources in apt's order: as apt itself reads them, else from its files."""
    if apt_get := machine.find("apt-get"):
        with suppress(Unavailable):
            if said := _output("apt", [apt_get, "indextargets", "--format", "$(REPO_URI)"], machine).splitlines():
                return said
    found: list[str] = []
    for path in (machine.apt / "sources.list", *sorted((machine.apt / "sources.list.d").glob("*"))):
        with suppress(OSError):
            if path.suffix in (".list", ".sources"):
                text = path.read_text(encoding="utf-8", errors="replace")
                found += _one_line(text) if path.suffix == ".list" else _deb822(text)
    return found


def _one_line(text: str) -> Iterator[str]:
    """sources.list(5), one-line style: `deb [option=value] URI suite component`."""
    for line in text.splitlines():
        if match := re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)", line):
            yield match[1]


def _deb822(text: str) -> Iterator[str]:
    """sources.list(5), deb822 style: stanzas of `Types:`, `URIs:`, `Enabled:`; a leading blank continues."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        unfolded = re.sub(r"\n[ \t]+", " ", stanza)
        pairs = (line.partition(":") for line in unfolded.splitlines())
        fields = {name.strip().lower(): value.split() for name, _, value in pairs}
        off = {"no", "false", "without", "off", "disable"} & {word.lower() for word in fields.get("enabled", [])}
        if "deb" in fields.get("types", []) and not off:
            yield from fields.get("uris", [])


def _output(client: str, command: list[str], machine: Machine) -> str:
    """What the command prints. Raises Unavailable when it fails, prints too much or takes too long."""
    deadline = time.monotonic() + machine.patience
    with _started(client, command, machine) as process:
        try:
            assert process.stdout is not None  # noqa: S101  (it is a pipe)
            said = _read(process.stdout, deadline)
            if len(said) > _MOST:
                raise Unavailable(f"{client} on this machine could not be asked: too much output")
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{client} on this machine did not answer in {machine.patience:g} s") from error
        finally:
            if process.returncode is None:  # not waited for, so the id is still its own; what it started ends with it
                os.killpg(process.pid, signal.SIGKILL)
    if code:
        raise Unavailable(f"{client} on this machine could not be asked: exit {code}")
    return said.decode("utf-8", "replace")


def _started(client: str, command: list[str], machine: Machine) -> subprocess.Popen[bytes]:
    try:
        # In `/`, so that the settings of a project that happens to be the working directory do not count.
        return subprocess.Popen(  # noqa: S603  (no shell, and nothing of a request in the command)
            command,
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=machine.env,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"{client} on this machine cannot be started: {error.strerror}") from error


def _read(stream: IO[bytes], deadline: float) -> bytes:
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(stream.fileno(), _MOST)
            said += chunk
            if not chunk or len(said) > _MOST:
                return said
    raise subprocess.TimeoutExpired("", 0)
