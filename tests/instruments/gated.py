"""A Python index and an npm registry on a real socket whose releases have dates, and mirrors of them with a policy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mirror.errors import Withheld
from mirror.policy.gatekeeper import Gatekeeper, gate
from mirror.policy.rules import Policy
from tests.conftest import World, take

DAY = 86400.0
WEEK = 7 * DAY
SIMPLE = "application/vnd.pypi.simple.v1+json"
SHORT = "application/vnd.npm.install-v1+json"
JSON = [("content-type", "application/json")]


def written(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat().replace("+00:00", "Z")


def body(version: str) -> bytes:
    return b"PK\x03\x04" + f"six {version}".encode() * 50


def found(place: str, *names: str) -> bytes:
    """What a search of npm's finds."""
    return (
        json.dumps({"objects": [{"package": {"name": name, "at": place}} for name in names]}).replace(" ", "").encode()
    )


class House:
    """One package `six`, of which each version is published so many days before the clock's now (None: nobody knows).

    `page` and `file(version)` are addresses below the mirror.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.pypi = world.ecosystem == "pypi"
        self.page = "/simple/six/" if self.pypi else "/six"
        self.publish({"1.16.0": 400.0, "1.17.0": 2.0})

    def file(self, version: str) -> str:
        return f"/files/p/six-{version}-py3-none-any.whl" if self.pypi else f"/six/-/six-{version}.tgz"

    def publish(self, days: dict[str, float | None]) -> None:
        now = self.world.clock()
        at = {version: None if old is None else written(now - old * DAY) for version, old in days.items()}
        (self._publish_python if self.pypi else self._publish_npm)(at)

    def _publish_python(self, at: dict[str, str | None]) -> None:
        origin, files = self.world.origin, []
        for version, when in at.items():
            name = f"six-{version}-py3-none-any.whl"
            file: dict[str, Any] = {"filename": name, "url": origin.url(f"/p/{name}"), "core-metadata": True}
            file |= {"hashes": {"sha256": hashlib.sha256(body(version)).hexdigest()}}
            files.append(file if when is None else file | {"upload-time": when})
            origin.route(f"/p/{name}", body=body(version))
            origin.route(f"/p/{name}.metadata", body=b"Name: six\n")
            origin.route(f"/integrity/six/{version}/{name}/provenance", headers=JSON, body=b"{}")
        page = {"meta": {"api-version": "1.4"}, "name": "six", "files": files, "versions": list(at)}
        origin.route("/simple/six/", headers=[("content-type", SIMPLE)], body=json.dumps(page).encode())

    def _publish_npm(self, at: dict[str, str | None]) -> None:
        origin, versions = self.world.origin, {}
        for version in at:
            dist = {"tarball": origin.url(f"/six/-/six-{version}.tgz")}
            dist["shasum"] = hashlib.sha1(body(version), usedforsecurity=False).hexdigest()
            versions[version] = {"name": "six", "version": version, "dist": dist, "readme": ""}
            origin.route(f"/six/-/six-{version}.tgz", body=body(version))
            origin.route(f"/-/npm/v1/attestations/six@{version}", headers=JSON, body=b"{}")
        packument = {"name": "six", "dist-tags": {"latest": [*at][-1]}, "versions": versions}
        times = {version: when for version, when in at.items() if when is not None}
        origin.route("/six", headers=JSON, body=json.dumps(packument | {"time": times}).encode())

    def become(self, *advisories: dict[str, Any], **policy: Any) -> None:
        """From now on this is the mirror's policy, and the advisories are these: as after a reload."""
        from tests.policy.builders import advised

        known = gate(Policy(self.world.ecosystem, advised=bool(advisories), **policy))
        assert isinstance(known, Gatekeeper)
        dated = known.seen_counts
        self.world.mirror = replace(self.world.mirror, gate=known.knowing(advised(*advisories)), dated=dated)
        self.world.engine.forget()

    async def versions(self, **fields: str) -> list[str]:
        """Which a client sees in the index."""
        got = await self.world.get(self.page, "", **{"accept": SIMPLE if self.pypi else "application/json"} | fields)
        document = json.loads(got.body)
        return document["versions"] if self.pypi else [*document["versions"]]

    async def refused(self, *paths: str, method: str = "GET", **fields: str) -> Withheld:
        """The reason why none of them is given, which is one reason."""
        (found,) = {str(error): error for error in [await self._error(path, method, fields) for path in paths]}.values()
        return found

    async def _error(self, path: str, method: str, fields: dict[str, str]) -> Withheld:
        try:
            got = await take(await self.world.ask(path, "", method=method, **fields))
        except Withheld as error:
            return error
        raise AssertionError(f"{path} was given: {got.outcome}")

    async def given(self, paths: Iterable[str]) -> None:
        for path in paths:
            got = await self.world.get(path, "")
            assert (got.broke, got.reply.head.status) == (None, 200)


@asynccontextmanager
async def house_of(world: World) -> AsyncIterator[House]:
    async with world.open():
        upstream = world.origin.url("/simple") if world.ecosystem == "pypi" else world.origin.url("").rstrip("/")
        world.mirror = replace(world.mirror, upstreams=(upstream,), ttl=600.0, keep=86400.0)
        yield House(world)
