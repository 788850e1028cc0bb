"""Addresses as an operator writes them: which mirror they are below, and under which key their answer is stored."""

from __future__ import annotations

from mirror import variants
from mirror.ecosystems import PLANNERS
from mirror.errors import MirrorError, NotFound, RequestError
from mirror.model import Mirror, Ready, Request


class Places:
    """The mirrors by name. All methods raise RequestError, which names what cannot be meant."""

    def __init__(self, mirrors: tuple[Mirror, ...]) -> None:
        self.become(mirrors)

    def become(self, mirrors: tuple[Mirror, ...]) -> None:
        """From now on there are these."""
        self.mirrors = {mirror.name: mirror for mirror in mirrors}

    def mirror(self, address: str) -> Mirror:
        """The mirror that the address is below."""
        name = address[1:].partition("/")[0]
        mirror = self.mirrors.get(name)
        if not address.startswith("/") or mirror is None:
            known = ", ".join(sorted(f"/{name}/" for name in self.mirrors))
            raise RequestError(f"{address!r} is not below a mirror ({known})")
        return mirror

    def prefix(self, prefix: str) -> str:
        """`/npm` means what is below it, and not the mirror `/npm-private/` too."""
        self.mirror(prefix)
        return prefix if "/" in prefix[1:] else f"{prefix}/"

    def key(self, url: str) -> str:
        """The canonical address of what a client asks with this URL path: the plan's key, less its variant."""
        mirror = self.mirror(url)
        path, _, query = url[1 + len(mirror.name) :].partition("?")
        try:
            plan = PLANNERS[mirror.ecosystem](mirror, Request("GET", path or "/", query, base=f"/{mirror.name}"))
        except NotFound:
            return url
        except MirrorError as exc:
            raise RequestError(f"{url!r}: {exc}") from exc
        if isinstance(plan, Ready):
            location = (plan.headers.get("location") or url).partition("?")[0]
            return location if location == url else self.key(location)
        return variants.address(plan.key)
