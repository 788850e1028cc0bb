"""`mirror setup CLIENT`: what points this machine's own client at the mirror, shown, written and taken back.

Poetry keeps its sources in each project, and curl none at all: of those there is nothing to write.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from mirror import clients, marked, pointers, values
from mirror.clients import Discovered, Machine
from mirror.config import load
from mirror.errors import ConfigError, MirrorError, Unavailable
from mirror.model import Mirror
from mirror.settings import ServerSettings

# What counts more than a client's own file.
_ENVIRONMENT = {
    "pip": ("PIP_INDEX_URL", "PIP_CONFIG_FILE"),
    "uv": ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE", "UV_NO_CONFIG"),
    "npm": ("npm_config_registry", "NPM_CONFIG_REGISTRY"),
    "pnpm": ("npm_config_registry", "NPM_CONFIG_REGISTRY", "PNPM_CONFIG_REGISTRY", "pnpm_config_registry"),
    "yarn": ("YARN_REGISTRY", "YARN_NPM_REGISTRY_SERVER", "npm_config_registry", "NPM_CONFIG_REGISTRY"),
}
_ASKED = ("pip", "npm", "pnpm", "apt")  # whose files say what `upstream = "auto"` stands for


@dataclass(frozen=True, slots=True)
class Setup:
    """A client, where it sees the server, and the mirrors that it can use (none: nobody knows). `release` is this
    machine's code name; `auto` says of mirrors that find their upstream by asking the client what that is now."""

    client: str
    machine: Machine
    address: str = ""
    mirrors: tuple[Mirror, ...] = ()
    release: str = ""
    auto: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, pointers.Setting]:
        if not self.mirrors:
            return {}
        found = pointers.settings(self.client, self.mirrors, self.address, self.release)
        return {setting.name: setting for setting in found}


@dataclass(frozen=True, slots=True)
class Report:
    """What was done, what is to be known besides, and what could not be done."""

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def address(server: ServerSettings) -> str:
    """Where clients see the server, without trailing slash; `unix:PATH` where it listens at a socket only."""
    listen = server.listen
    if server.public_url or not listen.host:
        return server.public_url or str(listen)
    try:
        here = ip_address(listen.host)
        host = "localhost" if here.is_loopback or here.is_unspecified else listen.host
    except ValueError:
        host = listen.host
    return f"{server.scheme}://{replace(listen, host=host)}"


def prepare(client: str, machine: Machine, config: Path, server: str = "", *, ask: bool = False) -> Setup:
    """What the configuration says for this client, at the address `server` instead of its own.

    Without a `config.toml`, `server` alone will do: its mirrors are taken to have the usual names. `ask` the client
    what `auto` stands for, while it still knows. Raises ConfigError.
    """
    url = values.url(server) if server else ""
    auto: dict[str, str] = {}
    mirrors: tuple[Mirror, ...]
    if url and config == Path("config.toml") and not config.exists():
        mirrors, own = _USUAL, url
    else:
        read = load(config, discover=_asking(client if ask else "", machine, auto))
        mirrors, own = read.mirrors, address(read.server)
    seen = url or own
    if not seen.startswith("http") or seen.endswith(":0"):
        raise ConfigError([f"the server's address is {seen}: write public_url into {config}, or give --server URL"])
    known = pointers.ecosystems(client)
    usable = tuple(mirror for mirror in mirrors if mirror.ecosystem in known)
    if not usable:
        raise ConfigError([f"{config}: no mirror for {client} (one of ecosystem {' or '.join(known)})"])
    if client not in ("apt", "curl"):
        usable = usable[:1]
    hints = (_hint(mirror.name, client, config, auto) for mirror in usable if mirror.name in auto)
    same = values.authority(seen) == values.authority(own if own.startswith("http") else seen)
    return Setup(client, machine, seen, usable, _release(machine), tuple(hints) if same else ())


_USUAL = (
    Mirror("pypi", "pypi"),
    Mirror("npm", "npm"),
    Mirror("debian", "apt"),
    Mirror("debian-security", "apt"),
    Mirror("get", "any"),
)


def _asking(client: str, machine: Machine, auto: dict[str, str]) -> Callable[[str, str, frozenset[str]], Discovered]:
    def discover(ecosystem: str, name: str, own: frozenset[str]) -> Discovered:
        if client not in _ASKED or ecosystem not in pointers.ecosystems(client):
            raise Unavailable("not asked")
        auto[name] = ""
        found = clients.discover(ecosystem, name, own, machine=machine)
        auto[name] = found.url
        return found

    return discover


def _hint(name: str, client: str, config: Path, auto: dict[str, str]) -> str:
    asked = "npm" if client == "pnpm" else client
    wanted = f'upstream = "{auto[name]}"' if auto[name] else "its upstream's URL"
    return (
        f'[mirrors.{name}] of {config} has upstream = "auto", which is what {asked} here is set to, and that is the '
        f"mirror from now on: write {wanted} there before the server starts again"
    )


def _release(machine: Machine) -> str:
    try:
        text = (machine.apt.parent / "os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    match = re.search(r"""^VERSION_CODENAME=["']?([a-z0-9-]+)""", text, re.MULTILINE)
    return match[1] if match else ""


def places(client: str, machine: Machine) -> dict[str, Path]:
    """Where the client's own files are, by the names that pointers.py has for them."""
    env = machine.env
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    config = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    match client:
        case "pip":
            mac = home / "Library/Application Support/pip"
            return {"pip.conf": (mac if sys.platform == "darwin" and mac.is_dir() else config / "pip") / "pip.conf"}
        case "uv":
            return {"uv.toml": config / "uv/uv.toml"}
        case "npm" | "pnpm":
            named = env.get("npm_config_userconfig") or env.get("NPM_CONFIG_USERCONFIG")
            return {".npmrc": Path(named) if named else home / ".npmrc"}
        case "yarn":
            return {name: home / name for name in (".yarnrc", ".yarnrc.yml")}
        case "apt":
            return {"mirror.sources": machine.apt / "sources.list.d/mirror.sources"}
        case _:
            return {}


def shown(setup: Setup) -> str:
    """What to write where: the text of each file below its path, and the commands that do the same, as comments."""
    commands = [line for each in setup.mirrors for line in pointers.commands(setup.client, each, setup.address)]
    tokens = _tokens(setup)
    found = places(setup.client, setup.machine)
    if not found:
        return "\n".join(commands)
    texts = [f"# {found[name]}\n{setting.text}" for name, setting in setup.settings.items()]
    lines = [f"# or: {line}" for line in commands if setup.client != "apt" and line not in tokens]
    if lines or tokens:
        texts.append("\n".join((*lines, *(f"# token: {line}" for line in tokens))))
    return "\n".join(texts).rstrip("\n")


def write(setup: Setup) -> Report:
    """Writes the client's files, each as a whole or not at all."""
    if setup.client == "curl":
        return Report((shown(setup), "curl has no configuration of mirrors: there is nothing to write"))
    if setup.client == "poetry":
        return Report(failed=(f"Poetry keeps its sources in each project. Run there:\n\n{shown(setup)}",))
    if setup.client == "apt" and not setup.release:
        return Report(failed=(f"no code name in os-release: replace {pointers.SUITE} yourself\n\n{shown(setup)}",))
    settings = setup.settings
    report = _each(setup, lambda name, path: marked.write(path, settings[name], setup.client))
    return report if report.failed else replace(report, done=(*report.done, *_besides(setup)))


def undo(setup: Setup) -> Report:
    """Puts the client's files back, each unless somebody changed it since."""
    if setup.client == "curl":
        return Report(("curl has no configuration of mirrors: there is nothing to undo",))
    if setup.client == "poetry":
        return Report(failed=("Poetry keeps its sources in each project. Run there: poetry source remove mirror",))
    settings = setup.settings
    return _each(setup, lambda name, path: marked.undo(path, settings.get(name)))


def _each(setup: Setup, act: Callable[[str, Path], str]) -> Report:
    done, failed = [], []
    for name, path in places(setup.client, setup.machine).items():
        try:
            done.append(act(name, path))
        except MirrorError as error:
            failed.append(str(error))
        except OSError as error:
            failed.append(f"{path}: {error.strerror}" + (" (sudo?)" if isinstance(error, PermissionError) else ""))
    return Report(tuple(done), tuple(failed))


def _besides(setup: Setup) -> list[str]:
    """What still keeps the client from the mirror, or the mirror from its upstream."""
    env = [name for name in _ENVIRONMENT.get(setup.client, ()) if setup.machine.env.get(name)]
    lines = [f"{name} is set in the environment, and counts more: unset it" for name in env]
    if setup.client == "apt":
        others = _sources(setup)
        lines += [
            f"{path}: names the same archive: disable it there (`Enabled: no`, or a # before deb)" for path in others
        ]
    asked = [f"the mirror asks for a token: {line}" for line in _tokens(setup)]
    return [*lines, *asked, *setup.auto]


def _tokens(setup: Setup) -> list[str]:
    return [line for each in setup.mirrors for line in pointers.token(setup.client, each, setup.address)]


def _sources(setup: Setup) -> list[Path]:
    """apt's other files that name an archive of one of the mirrors."""
    names = "|".join(re.escape(mirror.name) for mirror in setup.mirrors)
    named = re.compile(rf"^[^#\n]*://\S+/(?:{names})/?(?:\s|$)", re.MULTILINE)
    parts = sorted((setup.machine.apt / "sources.list.d").glob("*"))
    files = [setup.machine.apt / "sources.list", *(path for path in parts if path.suffix in (".list", ".sources"))]
    return [
        path
        for path in files
        if path.is_file()
        and path.name != "mirror.sources"
        and named.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
