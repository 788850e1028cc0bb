"""A mirror before registries of the world's packages: each test has a registry, and a mount of its own, both cold."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from typing import Any

from tests.instruments.call import Call, Heard
from tests.instruments.npm_faults import FAULTS
from tests.instruments.npm_registry import Registry
from tests.instruments.npm_world import CORGI
from tests.instruments.origin import Origin
from tests.instruments.server import Served

YARN = f"accept: {CORGI}; q=1.0, application/json; q=0.8, */*"
MOUNTS = 240


def config(origin: Origin, mounts: int = 1, upstream: str = "retries = 0", mirror: str = "") -> str:
    """Mounts `n0`, `n1` ... with the usual lifetimes, and `s0`, `s1` ... whose documents are stale at once."""
    return _config([origin.url()] * mounts, upstream, mirror)


def _config(addresses: Sequence[str], upstream: str = "retries = 0", mirror: str = "") -> str:
    lines = ['hosts = ["mirror.example.com"]', '[cache]\nmin_free = "1MB"', f"[upstream]\n{upstream}"]
    for number, address in enumerate(addresses):
        for letter, life in (("n", ""), ("s", 'ttl = "0s"\ngrace = "0s"')):
            name = f"{letter}{number}"
            lines.append(f'[mirrors.{name}]\necosystem = "npm"\nupstream = "{address}/{name}"\n{life}\n{mirror}')
    return "\n".join(lines)


class Town:
    """Many mounts of one server, each before an address of its own: what a mirror remembers of an upstream's health
    is of that test alone."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._addresses = [f"http://127.0.0.1:{origin.listen()}" for _ in range(MOUNTS)]
        self._numbers = itertools.count()
        self.config = _config(self._addresses)
        self.server: Served | None = None

    def place(self, kind: str, *, stale: bool = False) -> Place:
        """A mount that nobody has asked yet. `stale`: what it stores is asked for again each time."""
        assert self.server
        number = next(self._numbers)
        name = f"/{'s' if stale else 'n'}{number}"
        return Place(self.server, Registry(self._origin, kind, name, url=self._addresses[number] + name))


class Place:
    """One mount of the server and the registry behind it."""

    def __init__(self, server: Served, registry: Registry) -> None:
        self.server = server
        self.registry = registry
        self.mount = registry.prefix
        self.url = server.url(self.mount)

    async def ask(
        self, path: str, *fields: str, method: str = "GET", body: bytes = b"", host: str = "127.0.0.1"
    ) -> Heard:
        """In a thread, because the registry lives in this one. ConnectionError where there is no answer at all."""
        return await asyncio.to_thread(self._asked, self.mount + path, fields, method, body, host)

    def _asked(self, target: str, fields: tuple[str, ...], method: str, body: bytes, host: str) -> Heard:
        name = host if ":" in host or "." in host.strip("0123456789.") else f"{host}:{self.server.port}"
        lines = [f"{method} {target} HTTP/1.1", f"Host: {name}", "Connection: close", *fields]
        lines += [f"Content-Length: {len(body)}"] if body else []
        with Call(self.server.port, "\r\n".join([*lines, "", ""]).encode() + body) as call:
            return call.rest(call.head())

    async def document(self, path: str, *fields: str) -> dict[str, Any]:
        """What is there, as a JSON object; it has to be."""
        heard = await self.ask(path, *fields)
        assert (heard.status, heard.whole) == (200, True), (path, heard.status, heard.body[:500])
        found: dict[str, Any] = json.loads(heard.body)
        return found

    def befall(self, path: str, fault: str, times: int = 1) -> None:
        self.registry.befall(path, FAULTS[fault], times)

    def ours(self, package: str, host: str = "") -> dict[str, Any]:
        """The full document that is right for a client of this mount (who asks for `host`)."""
        return self.registry.document(package, f"http://{host}{self.mount}" if host else self.url)


def problem(heard: Heard) -> str:
    """What a refusal says; it has to be JSON with `error`, which npm prints (B.3.16, H.2)."""
    media_type = (heard.fields.get("content-type") or "").partition(";")[0]
    assert media_type in ("application/json", "application/problem+json"), heard.lines
    said = json.loads(heard.body)["error"]
    assert isinstance(said, str)
    assert said
    return said
