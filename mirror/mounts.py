"""Which mirror a URL of an upstream belongs to: for clients that use this server as their proxy, for addresses as
apt-cacher-ng has them (`/host/path`, `/HTTPS///host/path`), and for operators who know the upstream's URL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from mirror.model import Mirror

_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_NAMED = re.compile(r"/(?:(HTTPS)///)?([^/]+)(/.*)?")
_PORTS = {"http": 80, "https": 443}


class Mounts:
    """The mirrors by the URLs of their upstreams, and those of `any` mirrors by what they allow."""

    def __init__(self, mirrors: Iterable[Mirror]) -> None:
        self._below: list[tuple[str, str, str]] = []  # authority, path, path here; the longest path first
        self._any = [mirror for mirror in mirrors if mirror.ecosystem == "any"]
        for mirror in mirrors:
            for upstream in mirror.upstreams:
                parts = urlsplit(upstream)
                if authority := _canonical(parts.netloc):
                    places = _places(mirror, parts.path.rstrip("/"))
                    self._below += [(authority, path, here) for path, here in places]
        self._below.sort(key=lambda entry: -len(entry[1]))

    def absolute(self, host: str, raw: str) -> str | None:
        """The path here for `http://host/raw`; None where it is no upstream's."""
        if host.upper() == "HTTPS":  # apt-cacher-ng's `http://HTTPS///host/path`
            return self.named(f"/HTTPS{raw}")
        return self._address("http", host, raw)

    def named(self, raw: str) -> str | None:
        """The path here for `/host/path` and `/HTTPS///host/path`; None where it is no upstream's."""
        found = _NAMED.fullmatch(raw)
        return self._address("https" if found[1] else "http", found[2], found[3] or "/") if found else None

    def whole(self, url: str) -> str | None:
        """The address here, with its query, for a whole URL; None where it is no upstream's."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        if parts.scheme not in _PORTS:
            return None
        address = self._address(parts.scheme, parts.netloc, parts.path or "/")
        return f"{address}?{parts.query}" if address and parts.query else address

    def _address(self, scheme: str, authority: str, path: str) -> str | None:
        """The path here of `scheme://authority/path`; upstreams are known by either scheme."""
        wanted = _canonical(authority)
        for known, base, here in self._below:
            if known == wanted and (path == base or path.startswith(f"{base}/")):
                return f"{here}{path[len(base) :] or '/'}"
        for mirror in self._any:
            parts = _AUTHORITY.fullmatch(authority)
            if parts and mirror.reach.admits(scheme, parts[1].lower(), int(parts[2]) if parts[2] else None):
                return f"/{mirror.name}/{scheme}/{authority}{path}"
        return None


def _places(mirror: Mirror, path: str) -> list[tuple[str, str]]:
    """What stands at an upstream below which path, and where that is here: a Python index has its pages below `simple`,
    whatever the upstream calls that, and more beside them."""
    if mirror.ecosystem != "pypi":
        return [(path, f"/{mirror.name}")]
    beside = [(path.rpartition("/")[0] + place, f"/{mirror.name}{place}") for place in ("/pypi", "/integrity")]
    return [(path, f"/{mirror.name}/simple"), *beside]


def _canonical(authority: str) -> str:
    """Host and port in lower case, without a port that a scheme has anyway; "" where it is no authority."""
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        return ""
    port = int(parts[2]) if parts[2] else None
    return parts[1].lower() + ("" if port is None or port in _PORTS.values() else f":{port}")
