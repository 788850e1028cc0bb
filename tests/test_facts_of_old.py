"""Facts that an older version of ours has kept: they answer, and what they lack is read once more from the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirror.changes import Changes
from mirror.stores.facts import FileFacts
from tests.conftest import World

TARBALL = b"\x1f\x8b" + b"tarball" * 100
SHA256, SHA1 = hashlib.sha256(TARBALL).hexdigest(), hashlib.sha1(TARBALL, usedforsecurity=False).hexdigest()
WHEN = "2020-01-01T00:00:00.5Z"
SIMPLE = "application/vnd.pypi.simple.v1+json"


class House:
    """A mirror whose facts are on disk, and its one package `six`."""

    def __init__(self, world: World, facts: FileFacts, ecosystem: str) -> None:
        self.world = world
        self.facts = facts
        self.slot, self.page, self.file = {
            "pypi": ("simple/six", "/simple/six/", "/files/p/six-1.0.0.tar.gz"),
            "npm": ("six", "/six", "/six/-/six-1.0.0.tgz"),
        }[ecosystem]
        lookups = world.engine._lookups
        lookups._facts = lookups._releases._facts = facts

    async def older(self) -> float:
        """The list of facts becomes what an older version has written; when that was."""
        await self.world.engine._lookups.close()  # nothing is being gathered any more
        (file,) = (path for path in self.facts._path.rglob("*") if path.is_file())
        first, *lines = file.read_bytes().splitlines()
        old = b"".join(b"\t".join(line.split(b"\t")[:4]) + b"\n" for line in lines)
        head = {name: value for name, value in json.loads(first).items() if name != "form"} | {"size": len(old)}
        file.write_bytes(json.dumps(head).encode() + b"\n" + old)
        assert await self.fact() == ("", None, file.stat().st_mtime)
        return file.stat().st_mtime

    async def fact(self) -> tuple[str, float | None, float | None]:
        fact = await self.facts.find("o", [self.slot], self.file)
        assert fact is not None
        return fact.package, fact.published, fact.first_seen


@pytest.fixture(params=["pypi", "npm"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    facts = FileFacts(tmp_path / "facts.v1", Changes())
    await facts.start()
    async with World(tmp_path / "cache", ecosystem=request.param).open() as world:
        origin = world.origin
        upstream = origin.url("/simple") if request.param == "pypi" else origin.url("")
        world.mirror = replace(world.mirror, upstreams=(upstream,), ttl=600.0, keep=86400.0)
        file: dict[str, Any] = {"filename": "six-1.0.0.tar.gz", "url": origin.url("/p/six-1.0.0.tar.gz")}
        file |= {"hashes": {"sha256": SHA256}, "upload-time": WHEN}
        page = {"meta": {"api-version": "1.4"}, "name": "six", "files": [file]}
        dist = {"tarball": origin.url("/six/-/six-1.0.0.tgz"), "shasum": SHA1}
        packument = {"name": "six", "versions": {"1.0.0": {"dist": dist}}, "time": {"1.0.0": WHEN}}
        origin.route("/simple/six/", headers=[("content-type", SIMPLE)], body=json.dumps(page).encode())
        origin.route("/six", headers=[("content-type", "application/json")], body=json.dumps(packument).encode())
        for path in ("/p/six-1.0.0.tar.gz", "/six/-/six-1.0.0.tgz"):
            origin.route(path, body=TARBALL)
        yield House(world, facts, request.param)
    await facts.close()


async def test_a_document_whose_facts_lack_dates_is_read_once_more_and_not_fetched(house: House) -> None:
    await house.world.get(house.page, "")
    assert await house.fact() == ("six", 1577836800.5, house.world.clock())
    written_at = await house.older()
    house.world.clock.wind(7 * 86400.0)  # stale
    asked = house.world.origin.requests()
    assert (await house.world.get(house.file, "")).body == TARBALL
    assert house.world.origin.requests() - asked == 1  # the file
    assert await house.fact() == ("six", 1577836800.5, written_at)
    assert await house.facts.source("o", house.slot) is not None


async def test_facts_whose_document_is_gone_answer_all_the_same(house: House) -> None:
    await house.world.get(house.page, "")
    await house.older()
    for entry in [entry async for batch in house.world.index.scan() for entry in batch]:
        await house.world.index.delete(entry.key)
    assert (await house.world.get(house.file, "")).body == TARBALL
    assert (await house.fact())[0] == ""
