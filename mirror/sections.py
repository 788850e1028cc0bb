"""What reads each key of config.toml: a table for each section, and one for a mirror.

Each reader takes the TOML value as it stands, and raises ConfigError with one line that says what is wrong with it.
`folder` is the directory of the configuration file.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from mirror import certificate, credentials, policies, values
from mirror.errors import ConfigError
from mirror.logs import PARTS
from mirror.rights import Role, digest

NAME = r"[a-z0-9][a-z0-9-]*"
"""Of mirrors and tokens."""
ROLES = tuple(role.name.lower() for role in Role)

Readers = dict[str, Callable[[object], Any]]

ONLY = {"allow": "any", "redirects": "http", "client_auth": "http", "keyring": "apt", "snapshots": "apt"}
"""Keys that mirrors of one ecosystem alone have."""


def lifetimes() -> dict[str, dict[str, Any]]:
    """The lifetimes, in seconds, that differ by ecosystem; freshness on http mirrors is the origin's own affair."""
    return {
        "http": {"ttl": None, "grace": 0.0},
        "any": {"ttl": None, "grace": 0.0},
        "pypi": {"ttl": 600.0},
        "npm": {"ttl": 300.0},
        "apt": {"ttl": 120.0},
    }


def section_readers(folder: Path) -> dict[str, Readers]:
    """By section, all but the mirrors."""
    above_zero = partial(values.duration, positive=True)
    return {
        "server": {
            "listen": partial(values.address, folder=folder),
            "workers": partial(values.number, least=1, most=64),
            "public_url": _or_empty(values.url, ""),
            "hosts": _hosts,
            "tls_cert": _or_empty(partial(certificate.certificates, folder=folder), None),
            "tls_key": _or_empty(partial(certificate.key, folder=folder), None),
            "drain": values.duration,
            "max_connections_per_client": partial(values.number, least=0, most=1_000_000),
        },
        "cache": {
            "path": partial(values.place, folder=folder),
            "max_size": partial(values.size, positive=True),
            "min_free": values.size,
            "max_object": partial(values.size, positive=True),
            "durability": lambda value: values.choice(value, "full", "data", "none"),
        },
        "admin": {
            "token": partial(credentials.secret, folder=folder),
            "page": values.flag,
            "reads": _access,
        },
        "log": {
            "level": log_level,
            "format": lambda value: values.choice(value, "text", "json"),
            "file": _or_empty(partial(values.place, folder=folder), None),
            "levels": _levels,
        },
        "audit": {
            "enabled": values.flag,
            "path": _or_empty(partial(values.place, folder=folder), None),
            "max_file": partial(values.size, positive=True),
            "keep": _or_empty(above_zero, inf),
        },
        "policy": policies.readers(folder),
        "upstream": {
            "connect_timeout": above_zero,
            "head_timeout": above_zero,
            "min_rate": lambda value: float(values.size(value)),
            "retries": partial(values.number, least=0, most=100),
            "max_connections": partial(values.number, least=1, most=10000),
            "proxy": _or_empty(partial(credentials.proxy, folder=folder), ""),
            "ca_file": _or_empty(partial(values.present, folder=folder), None),
        },
    }


def mirror_readers(folder: Path) -> Readers:
    """Of a table [mirrors.NAME]."""
    return {
        "ecosystem": lambda value: values.choice(value, *lifetimes()),
        "upstream": _upstreams,
        "ttl": values.duration,
        "grace": values.duration,
        "keep": values.duration,
        "offline": values.flag,
        "complete_ranges": values.flag,
        "redirects": lambda value: values.choice(value, "pass", "follow"),
        "client_auth": values.flag,
        "allow": _allowed,
        "allow_private": values.flag,
        "keyring": _or_empty(partial(_keyring, folder=folder), ""),
        "snapshots": values.duration,
        "auth": partial(credentials.auth, folder=folder),
        "private_upstream": _or_empty(_privates, ()),
        "private_auth": partial(credentials.auth, folder=folder),
        "access": _access,
        "max_size": _or_empty(partial(values.size, positive=True), None),
    }


def log_level(value: object) -> str:
    """A level of the log."""
    return values.choice(value, "debug", "info", "warning", "error")


def log_part(value: object) -> str:
    """What has a level of its own in the log."""
    return values.choice(value, *PARTS)


def _levels(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ConfigError([f'{values.shown(value)} is not a table (write {{ origin = "debug" }})'])
    return {log_part(name): log_level(level) for name, level in value.items()}


def token_readers() -> Readers:
    """Of a table [admin.tokens.NAME]."""
    return {"role": lambda value: Role[values.choice(value, *ROLES).upper()], "hash": _digest}


def _access(value: object) -> str:
    return values.choice(value, "anyone", "token")


def _digest(value: object) -> bytes:
    """The bytes of `sha256:HEX`. What it is stands in no message: it may be the token itself."""
    found = re.fullmatch(r"sha256:([0-9a-fA-F]{64})", value) if isinstance(value, str) else None
    if found is None:
        raise ConfigError(["not a hash (write sha256: and 64 hex digits; `mirror token` shows that of a new token)"])
    if bytes.fromhex(found[1]) == digest(""):
        raise ConfigError(["the hash of an empty token"])
    return bytes.fromhex(found[1])


def _or_empty(read: Callable[[object], Any], empty: object) -> Callable[[object], Any]:
    return lambda value: empty if value == "" else read(value)


def _keyring(value: object, folder: Path) -> str:
    if shutil.which("gpgv") is None:
        raise ConfigError(["signatures are checked by gpgv, which is not installed"])
    return str(values.present(value, folder))


def _hosts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigError([f'{values.shown(value)} is not a list (write ["mirror.example.com"])'])
    return tuple(values.host(each) for each in value)


def _allowed(value: object) -> tuple[str, ...]:
    """Globs of hosts, in lower case."""
    if not isinstance(value, list):
        raise ConfigError([f'{values.shown(value)} is not a list (write ["*.example.com"])'])
    return tuple(values.glob(each) for each in value)


def _privates(value: object) -> tuple[str, ...]:
    """The URLs in order of preference."""
    return tuple(dict.fromkeys(values.url(each) for each in (value if isinstance(value, list) else [value])))


def _upstreams(value: object) -> tuple[str, ...]:
    """The URLs in order of preference; none for `"auto"`."""
    if value == "auto":
        return ()
    several = value if isinstance(value, list) else [value]
    if not several or "auto" in several:
        raise ConfigError(['write a URL, a list of URLs, or "auto" alone'])
    return tuple(dict.fromkeys(values.url(each) for each in several))
