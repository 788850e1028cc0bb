"""Addresses as an operator writes them, as the requests that the usual client would make."""

from __future__ import annotations

from urllib.parse import quote

from mirror.ecosystems import usual
from mirror.errors import RequestError
from mirror.model import Mirror, Request
from mirror.mounts import Mounts

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class Asking:
    """Knows the mirrors by their names, and by the URLs of their upstreams."""

    def __init__(self, mirrors: tuple[Mirror, ...]) -> None:
        self.become(mirrors)

    def become(self, mirrors: tuple[Mirror, ...]) -> None:
        """From now on there are these mirrors."""
        self._mirrors = {mirror.name: mirror for mirror in mirrors}
        self._mounts = Mounts(mirrors)

    def address(self, url: str) -> str:
        """The address here of what is written as one, or as a URL of an upstream. RequestError where it is neither."""
        plain = quote(url.strip().partition("#")[0], safe=_PRINTABLE)
        address = plain if plain.startswith("/") else self._mounts.whole(plain)
        if address is None or address[1:].partition("/")[0].partition("?")[0] not in self._mirrors:
            known = ", ".join(sorted(f"/{name}/" for name in self._mirrors)) or "none"
            raise RequestError(f"{url!r} is neither below a mirror ({known}) nor a URL of an upstream")
        return address

    def request(self, url: str) -> tuple[Mirror, Request]:
        """The mirror, and the GET that its usual client would make. RequestError as `address`."""
        path, _, query = self.address(url).partition("?")
        name, _, rest = path[1:].partition("/")
        mirror = self._mirrors[name]
        return mirror, Request("GET", f"/{rest}", query, usual.fields(mirror.ecosystem), f"/{name}")
