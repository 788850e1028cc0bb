"""A suite of an APT archive, published in generations, below the origin of a World. Nobody signs its releases."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from mirror.ecosystems import PLANNERS
from mirror.errand import Errand
from mirror.errors import OriginError
from mirror.model import Headers, Plan, Request
from tests.conftest import Got, Halt, World, take

SUITE = "/dists/stable"
PACKAGES = f"{SUITE}/main/binary-amd64/Packages"
SOURCES = f"{SUITE}/main/source/Sources"


def by_hash(path: str, body: bytes) -> str:
    return f"{path.rpartition('/')[0]}/by-hash/SHA256/{hashlib.sha256(body).hexdigest()}"


class Archive:
    """An archive of one suite with two indexes; `hashed`: it has them by-hash, too."""

    def __init__(self, world: World, *, hashed: bool = True) -> None:
        self.world = world
        self.hashed = hashed
        self.number = 0
        self.publish()

    def index(self, path: str = PACKAGES, number: int | None = None) -> bytes:
        return f"Package: {path[-8:].lower()}-{self.number if number is None else number}\n\n".encode()

    def release(self, number: int | None = None, *, date: int | None = None) -> bytes:
        number = self.number if number is None else number
        lines = []
        for path in (PACKAGES, SOURCES):
            body = self.index(path, number)
            lines.append(f" {hashlib.sha256(body).hexdigest()} {len(body)} {path.removeprefix(SUITE + '/')}\n")
        dated = f"Date: Sat, 21 Nov 2026 10:{(number if date is None else date):02}:00 UTC\n"
        return f"{dated}Acquire-By-Hash: {'yes' if self.hashed else 'no'}\nSHA256:\n{''.join(lines)}".encode()

    def signed(self, number: int | None = None, *, date: int | None = None) -> bytes:
        head, end = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n", b"-----BEGIN PGP SIGNATURE-----\n\nx\n"
        return head + self.release(number, date=date) + end

    def publish(self, *, indexes: bool = True, release: bool = True) -> None:
        """The next generation: its indexes, its release, or both."""
        self.number += 1
        origin = self.world.origin
        if indexes:
            for path in (PACKAGES, SOURCES):
                origin.route(path, body=self.index(path))
                if self.hashed:
                    origin.route(by_hash(path, self.index(path)), body=self.index(path))
        if release:
            origin.route(f"{SUITE}/InRelease", body=self.signed())

    async def get(self, path: str, client: str = "192.0.2.1", **fields: str) -> Got:
        headers = Headers.of({"cache-control": "max-age=0", **fields})
        request = Request("GET", path, "", headers, "http://m.test/o", client)
        return await take(await self.world.engine.answer(self.world.mirror, request))

    async def update(self, path: str = PACKAGES, client: str = "192.0.2.1") -> tuple[bytes, bytes]:
        """A release and an index, as they were at the origin."""
        return (await self.get(f"{SUITE}/InRelease", client)).body, (await self.get(path, client)).body


def configure(world: World, **changes: Any) -> None:
    """A mirror that asks for a release every ten seconds, and may serve what it has for a day."""
    world.mirror = replace(world.mirror, ttl=10.0, grace=86400.0, keep=86400.0, **changes)


class Keys:
    """Signatures that are right in the releases that hold `trusted`."""

    def __init__(self, trusted: bytes) -> None:
        self.trusted = trusted
        self.asked = 0
        self.halt: Halt | None = None

    async def check(self, keyring: str, signed: bytes, signature: bytes | None = None) -> None:
        self.asked += 1
        if self.halt:
            await self.halt()
        if self.trusted not in signed:
            raise OriginError("no key of the keyring has signed it")


def trust(archive: Archive, trusted: bytes) -> Keys:
    """From now on the mirror has a keyring."""
    keys = Keys(trusted)
    archive.world.engine._generations._signatures = keys
    archive.world.mirror = replace(archive.world.mirror, keyring="/keys.gpg")
    return keys


def errand(archive: Archive) -> Errand:
    """A client's request for the archive's InRelease."""
    request = Request("GET", f"{SUITE}/InRelease")
    plan = PLANNERS["apt"](archive.world.mirror, request)
    assert isinstance(plan, Plan)
    return Errand(archive.world.mirror, plan, request)
