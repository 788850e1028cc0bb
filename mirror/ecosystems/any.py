"""Any URL of the hosts on a list: `/{mirror}/https/host/path`. Release assets have rules of their own."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from mirror.ecosystems import paths
from mirror.ecosystems.bodies import not_html
from mirror.ecosystems.rules import AS_IT_IS, DAY, only_reads
from mirror.errors import Refused, RequestError
from mirror.model import Headers, Mirror, Plan, Request, Rule

_ADDRESS = re.compile(
    r"/(?P<scheme>https?)/(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<path>/.*)?"
)
_PORTS = {"http": "80", "https": "443"}

# The paths of release assets and source archives, as the forges have them, and the seconds for which they are used.
_ASSETS = (
    (re.compile(r"/[^/]+/[^/]+/releases/latest/download/[^/]+"), 300.0),
    (re.compile(r"/[^/]+/[^/]+/releases/download/[^/]+/[^/]+"), DAY),
    (re.compile(r"/[^/]+/[^/]+/archive/(?:[0-9a-f]{40}|refs/tags/.+)\.(?:tar\.gz|tgz|zip)"), 30 * DAY),
    (re.compile(r"/[^/]+/[^/]+/archive/refs/heads/.+"), 300.0),
)
_SENT = frozenset({"accept", "accept-language", "user-agent"})


def plan(mirror: Mirror, request: Request) -> Plan:
    """A GET or HEAD of a URL whose host is on the mirror's list; Refused (403) for others, RequestError for no URL."""
    only_reads(request)
    parts = _ADDRESS.fullmatch(paths.untouched(request.path))
    if parts is None or not _readable(parts["name"]):
        raise RequestError(f"write /{mirror.name}/https/HOST/PATH")
    scheme, name, port, path = parts["scheme"], parts["name"].lower(), parts["port"], parts["path"] or "/"
    if not mirror.reach.admits(scheme, name, int(port) if port else None):
        raise Refused(f"{name}{f':{port}' if port else ''} is not on the `allow` list of /{mirror.name}/")
    authority = name if port in (None, _PORTS[scheme]) else f"{name}:{int(port)}"
    address = f"{path}{paths.query(request.query)}"
    ttl = next((seconds for shape, seconds in _ASSETS if shape.fullmatch(path)), None)
    return Plan(
        key=f"/{mirror.name}/{scheme}/{authority}{address}",
        urls=(f"{scheme}://{authority}{address}",),
        rule=_asset(mirror, ttl) if ttl is not None else _other(mirror),
        send=AS_IT_IS if ttl is not None else Headers((*request.headers.only(_SENT), *AS_IT_IS)),
        check=not_html if ttl is not None else None,
    )


def _readable(name: str) -> bool:
    """False for brackets around what is no IPv6 address: no library reads such a URL, and not all say it alike."""
    try:
        return not name.startswith("[") or bool(IPv6Address(name[1:-1]))
    except ValueError:
        return False


def _asset(mirror: Mirror, ttl: float) -> Rule:
    """The answer comes from a signed address in the end, and what it says of caching concerns that address."""
    return Rule(ttl=ttl, grace=mirror.grace, keep=mirror.keep, negative_ttl=30.0, package=True, public=True)


def _other(mirror: Mirror) -> Rule:
    return Rule(ttl=mirror.ttl or None, grace=mirror.grace, keep=mirror.keep)
