"""Addresses as an operator writes them: which mirror they are below, and under which key their answer is stored."""

from __future__ import annotations

from math import inf

from mirror import frozen, variants
from mirror.ecosystems import PLANNERS
from mirror.errors import MirrorError, NotFound, Refused, RequestError
from mirror.model import Mirror, Plan, Ready, Request


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

    def named(self, name: str) -> Mirror:
        """The mirror of that name."""
        if name not in self.mirrors:
            raise RequestError(f"there is no mirror {name!r} ({', '.join(sorted(self.mirrors))})")
        return self.mirrors[name]

    def prefix(self, prefix: str) -> str:
        """`/npm` means what is below it, and not the mirror `/npm-private/` too."""
        self.mirror(prefix)
        return prefix if "/" in prefix[1:] else f"{prefix}/"

    def key(self, url: str) -> str:
        """The canonical address of what a client asks with this URL path: the plan's key, less its variant. What is
        shown as of a day is stored once for all days."""
        url = self._undated(url)
        mirror = self.mirror(url)
        try:
            plan = self.plan(mirror, url)
        except (NotFound, Refused):  # what is stored of a name that is the house's now can be removed all the same
            return url
        except MirrorError as exc:
            raise RequestError(f"{url!r}: {exc}") from exc
        if isinstance(plan, Ready):
            location = (plan.headers.get("location") or url).partition("?")[0]
            return location if location == url else self.key(location)
        return variants.address(plan.key)

    def _undated(self, url: str) -> str:
        """The address without the cut-off behind the mirror's name; NotFound where that is none."""
        segment, slash, path = url[1:].partition("/")
        if (dated := frozen.mirror(self.mirrors, segment, inf)) is None:
            return url
        return f"/{dated[0].name}{slash}{path}"

    def plan(self, mirror: Mirror, address: str) -> Plan | Ready:
        """What a GET of that address below the mirror means. Raises MirrorError where it means nothing."""
        path, _, query = address[1 + len(mirror.name) :].partition("?")
        return PLANNERS[mirror.ecosystem](mirror, Request("GET", path or "/", query, base=f"/{mirror.name}"))

    def stored(self, key: str) -> Plan | None:
        """The plan by which the entry with that key is stored; None where no mirror of now would store it."""
        address = variants.address(key)
        try:
            plan = self.plan(self.mirror(address), address)
        except MirrorError:
            return None
        return plan if isinstance(plan, Plan) else None
