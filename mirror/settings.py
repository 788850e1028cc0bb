"""The configuration as the parts receive it: one frozen section for each, in seconds, bytes and absolute paths."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mirror.model import Mirror
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
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @property
    def scheme(self) -> str:
        """What clients speak to this server itself."""
        return "https" if self.tls_cert else "http"


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
    """[admin]: `token` is "" where changes are allowed from loopback only."""

    token: str = field(default="", repr=False)


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
class Config:
    """The whole configuration; `path` is the file it was read from."""

    server: ServerSettings
    cache: CacheSettings
    admin: AdminSettings
    upstream: UpstreamSettings
    mirrors: tuple[Mirror, ...]
    path: Path

    @property
    def shares(self) -> dict[str, int]:
        """Mirrors that have a share of the cache, and its bytes."""
        return {mirror.name: mirror.max_size for mirror in self.mirrors if mirror.max_size is not None}


@dataclass(frozen=True, slots=True)
class FillSettings:
    """Bytes and seconds. `ring`: kept in memory for each segment; `soon`: how far ahead of a running segment a reader
    waits instead of starting another; `finish`: missing bytes that are fetched though nobody reads any more; `linger`:
    how long a fill without readers waits for one; `unshared`: how long a key is known as not to be shared;
    `distrusted`: how long a URL whose bytes had the wrong digest is not asked where there are others."""

    ring: int = 4 << 20
    soon: int = 8 << 20
    max_segments: int = 4
    retries: int = 4
    finish: int = 16 << 20
    linger: float = 2.0
    unshared: float = 120.0
    distrusted: float = 600.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
