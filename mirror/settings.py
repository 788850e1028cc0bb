"""The configuration as the parts receive it: one frozen section for each, in seconds, bytes and absolute paths."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from mirror.copies import Copy, copy
from mirror.model import Mirror
from mirror.policy.names import Selector
from mirror.policy.rules import Age, Exemption, Mode, Rule
from mirror.rights import Role, Token, digest, loopback
from mirror.values import Address


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """[server]: `public_url` without trailing slash, `hosts` in lower case, `drain` in seconds; `tls_cert` and
    `tls_key` are absolute, both or neither."""

    listen: Address = field(default_factory=lambda: Address("127.0.0.1", 8000))
    workers: int = 1
    public_url: str = ""
    hosts: tuple[str, ...] = ()
    drain: float = 30.0
    max_connections_per_client: int = 1000
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @property
    def scheme(self) -> str:
        """What clients speak to this server itself."""
        return "https" if self.tls_cert else "http"

    @property
    def proxied(self) -> str:
        """The key that says that a proxy stands in front, behind which every client looks like this machine; or "".

        Clients of another machine do not reach a loopback address or a socket, nor another port than that of `listen`,
        by themselves. `hosts` says nothing of that: they are accepted, and nobody need ask for them.
        """
        parts, own = urlsplit(self.public_url), self.listen
        inside = not own.host or loopback(own.host)
        if self.public_url and not loopback(parts.hostname or ""):
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
            if inside or parts.scheme != self.scheme or own.port not in (0, port):
                return "public_url"
        return ""


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """[cache]: `path` is absolute, sizes are bytes, `durability` is full, data or none."""

    path: Path
    max_size: int = 50 * 10**9
    min_free: int = 10**9
    max_object: int = 20 * 10**9
    durability: Literal["full", "data", "none"] = "full"


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """[admin]: `token` and `tokens`: without any of them changes are allowed from loopback only. `page`: there is one
    at `/-/`. `reads` "token": looking needs a token, too."""

    token: str = field(default="", repr=False)
    page: bool = True
    reads: Literal["anyone", "token"] = "anyone"
    tokens: tuple[Token, ...] = ()

    @property
    def known(self) -> tuple[Token, ...]:
        """All tokens; the plain one has the role admin, and no name."""
        return (*((Token("", Role.ADMIN, digest(self.token)),) if self.token else ()), *self.tokens)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """[log]: `format` is text or json; `file` is absolute, None for standard error; `levels`: of parts (`logs.PARTS`)
    that have one of their own."""

    level: str = "info"
    format: str = "text"
    file: Path | None = None
    levels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """[audit]: the record of what was handed out. `path` is an absolute folder, None for `audit` in the cache's path;
    `max_file` is bytes; `keep` seconds, inf for ever."""

    enabled: bool = False
    path: Path | None = None
    max_file: int = 100 * 10**6
    keep: float = 365 * 86400.0


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """[upstream]: timeouts in seconds, `min_rate` in bytes per second, `proxy` a URL (with its credentials) or ""."""

    connect_timeout: float = 5.0
    head_timeout: float = 30.0
    min_rate: float = 1000.0
    retries: int = 4
    max_connections: int = 100
    proxy: str = field(default="", repr=False)
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """[policy]: what counts for all mirrors that say nothing else; `min_age` in seconds, `advisories` files and
    folders of OSV's, absolute, and URLs, which are asked each `advisories_every` seconds. What counts for one of them
    is its `gate`."""

    mode: Mode = "enforce"
    min_age: float = 0.0
    unknown: Literal["hold", "pass"] = "hold"
    dates: Literal["origin", "first-seen"] = "origin"
    private: tuple[Selector, ...] = ()
    advisories: tuple[Path | str, ...] = ()
    advisories_every: float = 3600.0
    ages: tuple[Age, ...] = ()
    deny: tuple[Rule, ...] = ()
    allow: tuple[Rule, ...] = ()
    exempt: tuple[Exemption, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; `path` is the file it was read from."""

    server: ServerSettings
    cache: CacheSettings
    admin: AdminSettings
    upstream: UpstreamSettings
    mirrors: tuple[Mirror, ...]
    path: Path
    log: LogSettings = field(default_factory=LogSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)

    @property
    def record(self) -> Path:
        """The folder of the record of what was handed out."""
        return self.audit.path or self.cache.path / "audit"

    @property
    def copies(self) -> tuple[Copy, ...]:
        """The copies of the advisories that are at URLs."""
        folder = self.cache.path / "advisories"
        return tuple(copy(each, folder) for each in self.policy.advisories if isinstance(each, str))

    @property
    def advisories(self) -> tuple[Path, ...]:
        """The files and folders that the advisories are read from."""
        files = tuple(each for each in self.policy.advisories if isinstance(each, Path))
        return files + tuple(each.path for each in self.copies)

    @property
    def copied(self) -> bool:
        """Whether there is a copy of all that is at URLs."""
        return all(each.path.is_file() for each in self.copies)

    @property
    def shares(self) -> dict[str, int]:
        """Mirrors that have a share of the cache, and its bytes."""
        return {mirror.name: mirror.max_size for mirror in self.mirrors if mirror.max_size is not None}


@dataclass(frozen=True, slots=True)
class FillSettings:
    """Bytes and seconds. `ring`: kept in memory for each segment; `soon`: how far ahead of a running segment a reader
    waits instead of starting another; `finish`: missing bytes that are fetched though nobody reads any more; `linger`:
    how long a fill without readers waits for one; `deserted`: how many may be without readers at a time;
    `unshared`: how long a key is known as not to be shared; `distrusted`: how long a URL whose bytes had the wrong
    digest is not asked where there are others."""

    ring: int = 4 << 20
    soon: int = 8 << 20
    max_segments: int = 4
    retries: int = 4
    finish: int = 16 << 20
    linger: float = 2.0
    deserted: int = 64
    unshared: float = 120.0
    distrusted: float = 600.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
