"""config.toml -> a frozen Config, or one ConfigError with all that is wrong, each with file, line and key."""

from __future__ import annotations

import difflib
import re
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mirror import certificate, clients, policies, values
from mirror.document import Document, Problem, Table
from mirror.errors import ConfigError, Unavailable
from mirror.model import Mirror
from mirror.policy.gatekeeper import gate
from mirror.policy.names import ECOSYSTEMS
from mirror.policy.rules import Policy
from mirror.reach import Reach, literal
from mirror.rights import Token
from mirror.sections import NAME, ONLY, ROLES, Readers, lifetimes, mirror_readers, section_readers, token_readers
from mirror.settings import (
    AdminSettings,
    AuditSettings,
    CacheSettings,
    Config,
    LogSettings,
    PolicySettings,
    ServerSettings,
    UpstreamSettings,
)

__all__ = ["AdminSettings", "CacheSettings", "Config", "ServerSettings", "UpstreamSettings", "load"]

Discover = Callable[[str, str, frozenset[str]], clients.Discovered]


def load(path: Path, *, discover: Discover = clients.discover) -> Config:
    """Reads the file, and asks this machine's clients for the `auto` upstreams, all at the same time.

    A mirror whose `auto` finds nothing has no upstreams, and the reason in `unavailable`. Raises ConfigError.
    """
    document = Document.read(path)
    folder = path.absolute().parent
    reading = _Reading(folder)
    tables = reading.sections(document.tree)
    policy = PolicySettings(**tables["policy"], **policies.rules(reading, ("policy",), document.tree.get("policy")))
    mirrors = reading.mirrors(document.tree.get("mirrors", {}), policy)
    admin = reading.admin(document.tree, tables["admin"], mirrors)
    if reading.problems:
        raise ConfigError(document.located(reading.problems))
    server = ServerSettings(**tables["server"])
    return Config(
        server=server,
        cache=CacheSettings(**{"path": folder / "cache"} | tables["cache"]),
        admin=admin,
        upstream=UpstreamSettings(**tables["upstream"]),
        mirrors=_reached(mirrors, _own(server), discover),
        path=path,
        log=LogSettings(**tables["log"]),
        audit=AuditSettings(**tables["audit"]),
        policy=policy,
    )


class _Reading:
    """One pass over the tree of a file in `folder`; what is wrong gathers in `problems`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[Problem] = []

    def wrong(self, table: Table, key: str, text: str) -> None:
        self.problems.append(Problem(table, key, text))

    def sections(self, tree: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The values of every section but the mirrors."""
        known = section_readers(self.folder)
        for name, value in tree.items():
            if name in known or name == "mirrors":
                continue
            if isinstance(value, dict | list):
                self.wrong((name,), "", "unknown table" + _near(name, (*known, "mirrors"), "[{}]"))
            else:
                self.wrong((), name, "unknown key (keys stand below a table, such as [server])")
        good = {name: self.table((name,), _less_tables(tree, name), readers) for name, readers in known.items()}
        for key, text in certificate.wrong(good["server"], tree.get("server")):
            self.wrong(("server",), key, text)
        return good

    def table(self, where: Table, tree: object, readers: Readers) -> dict[str, Any]:
        """What the readers make of the table's keys, less those that are wrong."""
        if not isinstance(tree, dict):
            self.wrong(where, "", f"not a table (write [{'.'.join(where)}])")
            return {}
        good: dict[str, Any] = {}
        for key, value in tree.items():
            if key not in readers:
                self.wrong(where, key, "unknown key" + _near(key, readers, "{}"))
                continue
            try:
                good[key] = readers[key](value)
            except ConfigError as error:
                self.wrong(where, key, str(error))
        return good

    def admin(self, tree: dict[str, Any], good: dict[str, Any], mirrors: list[Mirror]) -> AdminSettings:
        """The section [admin] with its tokens. Where they are asked for there has to be one."""
        admin = tree.get("admin", {})
        written: object = admin.get("tokens", {}) if isinstance(admin, dict) else {}
        if not isinstance(written, dict):
            self.wrong(("admin",), "tokens", "not a table (write [admin.tokens.NAME])")
            written = {}
        given = [token for name, table in written.items() if (token := self.token(name, table))]
        known = AdminSettings(**good, tokens=tuple(given))
        self._same(known.known)
        closed = [mirror.name for mirror in mirrors if mirror.access == "token"]
        if closed and "reads" not in good:  # who may look sees what they hold
            known = replace(known, reads="token")
        if not written and isinstance(admin, dict) and not admin.get("token"):
            wanting = [(("admin",), "reads")] if good.get("reads") == "token" else []
            for table, key in wanting + [(("mirrors", name), "access") for name in closed]:
                self.wrong(table, key, "there is no token (`mirror token` makes one, and the lines for this file)")
        return known

    def token(self, name: str, tree: object) -> Token | None:
        where, before = ("admin", "tokens", name), len(self.problems)
        if not re.fullmatch(NAME, name):
            self.wrong(where, "", "not a name for a token (a-z, 0-9 and -, no - in front)")
        good = self.table(where, tree, token_readers())
        if isinstance(tree, dict) and "role" not in tree:
            self.wrong(where, "role", f"missing (one of {', '.join(ROLES)})")
        if isinstance(tree, dict) and "hash" not in tree:
            self.wrong(where, "hash", "missing (`mirror token` shows that of a new token)")
        return Token(name, good["role"], good["hash"]) if len(self.problems) == before else None

    def _same(self, tokens: tuple[Token, ...]) -> None:
        first: dict[bytes, str] = {}
        for token in tokens:
            if token.digest in first:
                named = first[token.digest]
                other = f"[admin.tokens.{named}]" if named else "[admin] token"
                self.wrong(("admin", "tokens", token.name), "hash", f"the same token as {other}")
            first.setdefault(token.digest, token.name)

    def mirrors(self, tree: object, policy: PolicySettings) -> list[Mirror]:
        if not tree or not isinstance(tree, dict):
            self.wrong(("mirrors",), "", "no mirrors (write at least one table [mirrors.NAME])")
            return []
        found = [self.mirror(name, table, policy) for name, table in tree.items()]
        return [mirror for mirror in found if mirror is not None]

    def mirror(self, name: str, tree: object, policy: PolicySettings) -> Mirror | None:
        where, before = ("mirrors", name), len(self.problems)
        if not re.fullmatch(NAME, name):
            self.wrong(where, "", "not a name for a mirror (a-z, 0-9 and -, no - in front)")
        good = self.table(where, _less(tree, ("policy",)), mirror_readers(self.folder))
        if isinstance(tree, dict) and "ecosystem" not in tree:
            self.wrong(where, "ecosystem", f"missing (one of {', '.join(lifetimes())})")
        if good.get("ecosystem") == "http" and isinstance(tree, dict) and tree.get("upstream", "auto") == "auto":
            self.wrong(where, "upstream", "an http mirror needs a URL")
        if good.get("ecosystem") == "any" and "upstream" in good:
            self.wrong(where, "upstream", "an any mirror has no upstream (write the hosts into `allow`)")
        for key, ecosystem in ONLY.items():
            if key in good and good.get("ecosystem", ecosystem) != ecosystem:
                self.wrong(where, key, f"only {ecosystem} mirrors have it")
        ecosystem = good.get("ecosystem", "")
        for key in ("private_upstream", "private_auth"):
            if key in good and ecosystem not in ("", "pypi", "npm"):
                self.wrong(where, key, "only pypi and npm mirrors have it")
        housed = bool(good.get("private_upstream"))
        known = self.policy((*where, "policy"), tree, policy, ecosystem, housed=housed)
        good |= {"gate": gate(known), "dated": known.dates == "first-seen"} if known else {}
        return _mirror(name, good) if len(self.problems) == before else None

    def policy(
        self, where: Table, tree: object, shared: PolicySettings, ecosystem: str, *, housed: bool
    ) -> Policy | None:
        """What decides about a mirror's packages; None where it has none."""
        own: dict[str, Any] = {}
        if isinstance(tree, dict) and "policy" in tree and ecosystem:
            own = policies.own(self, where, tree["policy"], ecosystem)
        if ecosystem not in ECOSYSTEMS:
            return None
        return replace(policies.merged(self, where, shared, own, ecosystem), housed=housed)


def _mirror(name: str, good: dict[str, Any]) -> Mirror:
    ecosystem = good["ecosystem"]
    upstreams = tuple(values.rooted(url, ecosystem) for url in good.pop("upstream", ()))
    private = tuple(values.rooted(url, ecosystem) for url in good.pop("private_upstream", ()))
    follow = good.pop("redirects", "pass") == "follow"
    known = {"name": name, "upstreams": upstreams, "follow": follow, "client_auth": ecosystem == "http"}
    known |= {"private_upstreams": private, "reach": _reach(good, upstreams, private)}
    return Mirror(**known | lifetimes()[ecosystem] | good)


def _reach(good: dict[str, Any], upstreams: tuple[str, ...], house: tuple[str, ...]) -> Reach:
    """Takes `allow` and `allow_private` out of a mirror's values. What is written as an address, or found on this
    machine, is meant; so is the upstream of the house."""
    hosts = good.pop("allow", ()) if good["ecosystem"] == "any" else None
    private = good.pop("allow_private", hosts is None and not upstreams)
    parts = [urlsplit(upstream) for upstream in upstreams]
    meant = [part for part in parts if literal(part.hostname or "")] + [urlsplit(upstream) for upstream in house]
    trusted = frozenset((part.scheme, part.netloc) for part in meant)
    return Reach(hosts, private, trusted)


def _less_tables(tree: dict[str, Any], name: str) -> object:
    """A section less the tables in it."""
    return _less(tree.get(name, {}), {"admin": ("tokens",), "policy": policies.TABLES}.get(name, ()))


def _less(section: object, names: tuple[str, ...]) -> object:
    return {key: value for key, value in section.items() if key not in names} if isinstance(section, dict) else section


def _near(word: str, known: Iterable[str], form: str) -> str:
    found = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {form.format(found[0])}?)" if found else ""


def _own(server: ServerSettings) -> frozenset[str]:
    """`host:port` of all the addresses by which clients of this machine may know this server."""
    own = {values.authority(server.public_url)} if server.public_url else set()
    for name in server.hosts:
        own |= {values.authority(f"http://{name}"), values.authority(f"https://{name}")}
    if port := server.listen.port:
        own |= {str(server.listen), f"localhost:{port}", f"{socket.gethostname().lower()}:{port}"}
        own |= {f"{name}:{port}" for name in server.hosts if not re.search(r":\d+$", name)}
    return frozenset(own)


def _reached(mirrors: list[Mirror], own: frozenset[str], discover: Discover) -> tuple[Mirror, ...]:
    """The mirrors with the upstreams that `auto` stands for."""

    def reach(mirror: Mirror) -> Mirror:
        if mirror.upstreams or mirror.ecosystem == "any":
            return mirror
        try:
            found = discover(mirror.ecosystem, mirror.name, own)
        except Unavailable as error:
            return replace(mirror, unavailable=str(error))
        return replace(mirror, upstreams=(found.url,), auth=mirror.auth or found.auth)

    with ThreadPoolExecutor(max_workers=4) as pool:
        return tuple(pool.map(reach, mirrors))
