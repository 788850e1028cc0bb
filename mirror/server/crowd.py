"""How many connections each client has, so that one of them cannot take all descriptors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

log = logging.getLogger("mirror.server")

TOLD_EVERY = 60.0
"""Seconds between two lines of the log about one client."""


@dataclass(slots=True)
class _Known:
    count: int = 0
    told: float | None = None


class Crowd:
    """At most `most` connections of each client, 0: any number. This machine's own are not counted: they are those of a
    proxy in front, or of somebody who can do worse. Of IPv6, a client is a network of 64 bits."""

    def __init__(self, most: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def come(self, address: str) -> str | None:
        """One more connection; the name to give back to `left`, None where that client has too many: it is told to the
        log, once a minute. "" is a name, too."""
        name = _whose(address)
        if not name:
            return ""
        known = self._known.setdefault(name, _Known())
        if self.most and known.count >= self.most:
            self._tell(name, known)
            return None
        known.count += 1
        return name

    def left(self, name: str) -> None:
        """A connection of those has ended."""
        if name and (known := self._known.get(name)) is not None:
            known.count -= 1
            if known.count <= 0:
                del self._known[name]

    def _tell(self, name: str, known: _Known) -> None:
        now = self._clock()
        if known.told is None or now - known.told >= TOLD_EVERY:
            known.told = now
            log.warning(
                "%s has %d connections, and gets no more ([server] max_connections_per_client)", name, self.most
            )


@lru_cache(4096)
def _whose(address: str) -> str:
    """Who is counted by that address; "" where nobody is."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return ""
    return str(ip) if ip.version == 4 else ":".join(ip.exploded.split(":")[:4]) + "::/64"
