"""Where the requests of a mirror may go: which hosts, and which of their addresses. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["Reach", "Route", "literal", "public"]

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1: the last four bytes are an IPv4 address
_UNICAST = IPv6Network("2000::/3")  # all of IPv6 that is given out (RFC 4291 §2.4)
# What the registries of special addresses (RFC 6890) have and `is_global` of some Pythons does not know, or takes for
# routable. 192.0.0.0/24 has a cloud's metadata, 2001::/23 Teredo.
_SPECIAL: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2001::/23"),
    IPv6Network("3fff::/20"),
)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Reach:
    """`hosts` are globs of `name` or `name:port` that may be asked, () for all. `private`: at any address that they
    have, else only at those that are globally routable. `trusted` origins (scheme, authority) may always have any."""

    hosts: tuple[str, ...] | None = None
    private: bool = True
    trusted: frozenset[tuple[str, str]] = frozenset()

    def admits(self, scheme: str, name: str, port: int | None) -> bool:
        """True where that host may be asked: on its usual port, or on one that a glob names."""
        if self.hosts is None:
            return True
        name = name.lower()
        whole = f"{name}:{port or _PORTS.get(scheme)}"
        usual = port in (None, _PORTS.get(scheme))
        return any(
            fnmatchcase(whole, glob) if ":" in glob else usual and fnmatchcase(name, glob) for glob in self.hosts
        )

    def guarded(self, scheme: str, authority: str) -> bool:
        """True where the host's addresses have to be looked at before one of them is connected to."""
        return not self.private and (scheme, authority.lower()) not in self.trusted


@dataclass(frozen=True, slots=True)
class Route:
    """How a mirror's requests travel: the field (name, value) with the credentials for the first origin, whether
    redirects are followed, and where they may lead. `mirror`: whose they are; `client`: the address of who asks, "" for
    nobody in particular."""

    auth: tuple[str, str] | None = None
    follow: bool = True
    reach: Reach = field(default_factory=Reach)
    mirror: str = ""
    client: str = ""


def public(address: str) -> bool:
    """True for an IP address that is globally routable and no other kind of address in disguise (RFC 6890)."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if (inner := _inside(ip)) is not None:
            return public(str(inner))
        if ip not in _UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _SPECIAL)


def literal(host: str) -> bool:
    """True for a host that is an IP address and no name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _inside(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a packet to this one would reach in the end."""
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
