"""Addresses as an operator writes them, as the requests that the usual client would make."""

from __future__ import annotations

from urllib.parse import quote

from mirror import frozen
from mirror.ecosystems import usual
from mirror.errors import RequestError
from mirror.model import Mirror, Request
from mirror.mounts import Mounts
from mirror.ports import Clock

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class Asking:
    """Knows the mirrors by their names, and by the URLs of their upstreams."""

    def __init__(self, mirrors: tuple[Mirror, ...], wall: Clock) -> None:
        self._wall = wall
        self.become(mirrors)

    def become(self, mirrors: tuple[Mirror, ...]) -> None:
        """From now on there are these mirrors."""
        self._mirrors = {mirror.name: mirror for mirror in mirrors}
        self._mounts = Mounts(mirrors)

    def address(self, url: str) -> str:
        """The address here of what is written as one, or as a URL of an upstream. RequestError where it is neither."""
        plain = quote(url.strip().partition("#")[0], safe=_PRINTABLE)
        address = plain if plain.startswith("/") else self._mounts.whole(plain)
        if address is None or frozen.split(address[1:].partition("/")[0].partition("?")[0])[0] not in self._mirrors:
            known = ", ".join(sorted(f"/{name}/" for name in self._mirrors)) or "none"
            raise RequestError(f"{url!r} is neither below a mirror ({known}) nor a URL of an upstream")
        return address

    def request(self, url: str) -> tuple[Mirror, Request]:
        """The mirror, as of the day that is asked for if there is one, and the GET that its usual client would make.
        RequestError as `address`, NotFound where there is no such day."""
        path, _, query = self.address(url).partition("?")
        name, _, rest = path[1:].partition("/")
        mirror = self._mirrors.get(name)
        if mirror is None and (dated := frozen.mirror(self._mirrors, name, self._wall())):
            mirror, name = dated
        assert mirror is not None  # noqa: S101 - see `address`
        return mirror, Request("GET", f"/{rest}", query, usual.fields(mirror.ecosystem), f"/{name}")
