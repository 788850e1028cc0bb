"""npm's tarballs: what a packument calls them, how clients ask the mirror for them, what they must be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, unquote, urldefrag, urlsplit

from mirror.ecosystems import paths
from mirror.ecosystems.bodies import hex_digest
from mirror.ecosystems.versions import Packument, Version
from mirror.model import Digest, strongest

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_PLAIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::[1-9][0-9]{0,3})?/(?:[A-Za-z0-9._~@+-]+/)*([A-Za-z0-9._~@+-]+)")
_PLAIN_FILE = re.compile(r"[A-Za-z0-9._~@+-]+")
_FILE = re.compile(r"[^/\\\x00-\x1f\x7f]+")


class Tarball(NamedTuple):
    """The tarball of a version: its address, and its path below the mirror, percent-encoded."""

    version: str
    url: str
    name: str


def named(packument: Packument, package: str) -> Iterator[Tarball]:
    """The tarballs that have an address on http or https.

    They are called as at the origin, because clients leave such URLs out of lock files; where several are called the
    same (`/1.0.0/package.tgz`), `<name>-<version>.tgz`.
    """
    addressed = list(_addressed(packument))
    urls: dict[str, str] = {}
    shared = {file for _, url, file in addressed if urls.setdefault(file, url) != url}
    for version, url, file in addressed:
        own = f"{package.rpartition('/')[2]}-{version}.tgz" if file in shared else file
        plain = own if _PLAIN_FILE.fullmatch(own) else paths.encoded(own.encode(errors="replace"))
        yield Tarball(version, url, f"/{package}/-/{plain}")


def _addressed(packument: Packument) -> Iterator[tuple[str, str, str]]:
    for name, version in packument.versions.items():
        if version.tarball is not None and (found := _address(version.tarball)):
            yield name, *found


def digest(version: Version) -> Digest | None:
    """The strongest digest that a version's `dist` announces."""
    announced = (
        Digest.from_sri(version.integrity) if version.integrity else None,
        hex_digest("sha1", version.shasum) if version.shasum else None,
    )
    return strongest(digest for digest in announced if digest)


def _address(written: str) -> tuple[str, str] | None:
    """The URL that can be asked, and its file's name."""
    if (plain := _PLAIN.fullmatch(written)) is not None and plain[1] not in (".", ".."):  # nearly all are
        return written, plain[1]
    try:
        url = urldefrag(quote(written.strip(), safe=_PRINTABLE)).url
        parts = urlsplit(url)
        file = unquote(parts.path, errors="strict").rpartition("/")[2]
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            return None
    except ValueError:
        return None
    return (url, file) if _FILE.fullmatch(file) and file not in (".", "..") else None
