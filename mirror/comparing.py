"""Two configurations beside each other: which keys differ, and what of the new one a running server can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from mirror.model import Mirror
from mirror.settings import Config

FIXED = {
    "server": ("listen", "workers"),
    "cache": ("path", "durability"),
    "audit": ("enabled", "path", "max_file", "keep"),
}
"""By section: the keys that count from the start of the server to its end."""

_KEYS = {"upstreams": "upstream", "unavailable": "upstream", "follow": "redirects", "gate": "policy", "dated": "policy"}
_REACH = {"hosts": "allow", "private": "allow_private", "trusted": "upstream"}


def changed(old: Config, new: Config) -> list[str]:
    """The keys that differ, as `section.key`, `mirrors.NAME.key`, or `mirrors.NAME` where one has come or gone."""
    found: list[str] = []
    for section, before, after in _sections(old, new):
        found += [f"{section}.{name}" for name in _differing(before, after)]
    was, now = ({mirror.name: mirror for mirror in each.mirrors} for each in (old, new))
    for name in {**was, **now}:
        if name in was and name in now:
            found += [f"mirrors.{name}.{key}" for key in _of_mirror(was[name], now[name])]
        else:
            found.append(f"mirrors.{name}")
    return found


def taken(old: Config, new: Config) -> tuple[Config, list[str]]:
    """What a server that runs with `old` can take of `new`, and the keys that wait for a restart: they stay as they
    are. https is on or off from the start to the end, its certificate may change."""
    server, cache = new.server, new.cache
    waiting = [f"server.{key}" for key in FIXED["server"] if getattr(old.server, key) != getattr(server, key)]
    if bool(old.server.tls_cert) != bool(server.tls_cert):
        waiting += ["server.tls_cert", "server.tls_key"]
        server = replace(server, tls_cert=old.server.tls_cert, tls_key=old.server.tls_key)
    waiting += [f"cache.{key}" for key in FIXED["cache"] if getattr(old.cache, key) != getattr(cache, key)]
    waiting += [f"audit.{key}" for key in FIXED["audit"] if getattr(old.audit, key) != getattr(new.audit, key)]
    server = replace(server, **{key: getattr(old.server, key) for key in FIXED["server"]})
    cache = replace(cache, **{key: getattr(old.cache, key) for key in FIXED["cache"]})
    return replace(new, server=server, cache=cache, audit=old.audit), waiting


def known(before: Iterable[str], config: Config) -> tuple[str, ...]:
    """The names of all mirrors that there have been, in the order in which they came."""
    return tuple(dict.fromkeys((*before, *(mirror.name for mirror in config.mirrors))))


def _sections(old: Config, new: Config) -> Iterator[tuple[str, Any, Any]]:
    for section in fields(Config):
        before, after = getattr(old, section.name), getattr(new, section.name)
        if is_dataclass(before):
            yield section.name, before, after


def _differing(before: Any, after: Any) -> list[str]:
    return [each.name for each in fields(before) if getattr(before, each.name) != getattr(after, each.name)]


def _of_mirror(before: Mirror, after: Mirror) -> list[str]:
    names: list[str] = []
    for name in _differing(before, after):
        names += [_REACH[part] for part in _differing(before.reach, after.reach)] if name == "reach" else [name]
    return list(dict.fromkeys(_KEYS.get(name, name) for name in names))
