"""How each client is pointed at the mirrors: the commands, and the files with their text. `setup.py` writes them.

`address` is where clients see this server, without trailing slash; a mirror's own is `address/NAME/`, and most clients
need that slash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from mirror import merging
from mirror.merging import NotMergeable
from mirror.model import Mirror

__all__ = ["CLIENTS", "SUITE", "NotMergeable", "Setting", "commands", "ecosystems", "settings", "welcome"]

# `yarn` is Yarn 1 and Yarn 4: each has a file of its own.
CLIENTS = ("pip", "uv", "poetry", "npm", "pnpm", "yarn", "apt", "curl")
TOKEN = "TOKEN"  # noqa: S105  stands where everybody writes his own
SUITE = "SUITE"  # stands where nobody knows the release that a machine runs


@dataclass(frozen=True, slots=True)
class Setting:
    """One configuration file: `name` (setup.py knows the directory), the whole `text` of a new one, and `merge`, which
    makes of an existing one's text the text with these settings; it raises NotMergeable."""

    name: str
    text: str
    merge: Callable[[str], str]


def ecosystems(client: str) -> tuple[str, ...]:
    """The ecosystems whose mirrors the client can use."""
    match client:
        case "pip" | "uv" | "poetry":
            return ("pypi",)
        case "npm" | "pnpm" | "yarn":
            return ("npm",)
        case "apt":
            return ("apt",)
        case _:
            return ("any", "http")


def welcome(mirror: Mirror, address: str) -> list[str]:
    """What the server says of a mirror when it starts: a line for each of the usual clients."""
    usual = [client for client in ("pip", "uv", "npm", "apt", "curl") if mirror.ecosystem in ecosystems(client)]
    return [line for client in usual for line in commands(client, mirror, address)]


def commands(client: str, mirror: Mirror, address: str) -> list[str]:
    """The lines for a shell (for apt: its sources) that point the client at the mirror, and where its token goes."""
    return [*_pointing(client, mirror, address), *token(client, mirror, address)]


def token(client: str, mirror: Mirror, address: str) -> list[str]:
    """Where a client keeps the token that the mirror asks for; nothing where it asks for none."""
    here = f"{address}/{mirror.name}/"
    host = urlsplit(address).hostname or ""
    if mirror.access == "anyone":
        return []
    match client:
        case "pip" | "uv":
            return [f"machine {host} login mirror password {TOKEN}    (in ~/.netrc)"]
        case "poetry":
            return [f"poetry config http-basic.mirror mirror {TOKEN}"]
        case "npm" | "pnpm":
            return [f"{client} config set //{here.partition('://')[2]}:_authToken {TOKEN}"]
        case "yarn":
            return [
                f"//{here.partition('://')[2]}:_authToken={TOKEN}    (Yarn 1: in ~/.npmrc)",
                f'npmAuthToken: "{TOKEN}"    (Yarn 4: in ~/.yarnrc.yml)',
            ]
        case "apt":
            return [f"machine {here} login mirror password {TOKEN}    (in /etc/apt/auth.conf.d/mirror.conf)"]
        case _:
            return [f"with -u mirror:{TOKEN}"]


def _pointing(client: str, mirror: Mirror, address: str) -> list[str]:
    here = f"{address}/{mirror.name}/"
    parts = urlsplit(address)
    trust = parts.netloc if parts.scheme == "http" else ""
    match client:
        case "pip":
            trusting = f" && pip config set global.trusted-host {trust}" if trust else ""
            return [f"pip config set global.index-url {here}simple/{trusting}"]
        case "uv":
            return [f"export UV_DEFAULT_INDEX={here}simple/"]
        case "poetry":
            return [
                f"poetry source add --priority=primary mirror {here}simple/",
                f"export PIP_INDEX_URL={here}simple/" + (f" PIP_TRUSTED_HOST={trust}" if trust else ""),
            ]
        case "npm" | "pnpm":
            return [f"{client} config set registry {here}"]
        case "apt":
            return [f"deb {here} {SUITE} main    (in place of the archive's address)"]
        case "curl":
            return [f"curl -O {here}" + ("https/HOST/PATH" if mirror.ecosystem == "any" else "PATH")]
        case _:
            return []


def settings(client: str, mirrors: Sequence[Mirror], address: str, release: str = "") -> tuple[Setting, ...]:
    """The client's files, none where it has no configuration of a user's own. `mirrors` are some that the client can
    use, of which all but apt use the first; `release` is the code name of the distribution, `bookworm`."""
    here = f"{address}/{mirrors[0].name}/"
    match client:
        case "pip":
            return (_pip(here, address),)
        case "uv":
            block = f'[[index]]\nname = "mirror"\nurl = "{here}simple/"\ndefault = true\n'
            return (Setting("uv.toml", block, partial(merging.uv, block=block)),)
        case "npm" | "pnpm":
            return (_line(".npmrc", r"""\s*(["']?)registry\1\s*=""", f"registry={here}"),)
        case "yarn":
            return (_line(".yarnrc", r"""\s*(["']?)registry\1[\s:]""", f'registry "{here}"'), _yarn4(here))
        case "apt":
            return (_apt(mirrors, address, release or SUITE),)
        case _:
            return ()


def _pip(here: str, address: str) -> Setting:
    options = {"index-url": f"{here}simple/"}
    if address.startswith("http://"):  # else pip refuses, or at least keeps nothing in its own cache
        options["trusted-host"] = urlsplit(address).netloc
    text = "".join(f"{name} = {value}\n" for name, value in options.items())
    return Setting("pip.conf", f"[global]\n{text}", partial(merging.pip, options=options))


def _line(name: str, setting: str, wanted: str) -> Setting:
    return Setting(name, wanted + "\n", partial(merging.line, setting=setting, wanted=wanted))


def _yarn4(here: str) -> Setting:
    """Yarn 4 wants no slash at the end, and to be told of hosts that it may ask without TLS."""
    parts = urlsplit(here)
    host = (parts.hostname or "") if parts.scheme == "http" else ""

    def merge(text: str) -> str:
        named = merging.line(text, r"npmRegistryServer\s*:", f'npmRegistryServer: "{here.rstrip("/")}"')
        return merging.yaml_list(named, "unsafeHttpWhitelist", host) if host else named

    return Setting(".yarnrc.yml", merge(""), merge)


def _apt(mirrors: Sequence[Mirror], address: str, release: str) -> Setting:
    """A file of our own, in the deb822 style of sources.list(5)."""
    text = "\n".join(_stanza(mirror.name, address, release) for mirror in mirrors)

    def merge(before: str) -> str:
        if before.strip() and text not in before:
            raise NotMergeable("it says something else, and is not from here: move it away first")
        return before if before.strip() else text

    return Setting("mirror.sources", text, merge)


def _stanza(name: str, address: str, release: str) -> str:
    suites = {"debian": f"{release} {release}-updates", "ubuntu": f"{release} {release}-updates {release}-security"}
    secure = f"{release}-security" if name.endswith("-security") else release
    lines = ["Types: deb", f"URIs: {address}/{name}/", f"Suites: {suites.get(name, secure)}", "Components: main"]
    if distribution := re.match(r"debian|ubuntu", name):
        lines.append(f"Signed-By: /usr/share/keyrings/{distribution[0]}-archive-keyring.gpg")
    return "".join(f"{each}\n" for each in lines)
