"""The policy and the files of an archive: by what its indexes say, else by their names."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from mirror.errors import Withheld
from mirror.model import Digest, Fact
from mirror.policy.gatekeeper import gate
from mirror.policy.names import selector
from mirror.policy.rules import Policy
from tests.conftest import World
from tests.policy.builders import rule

MAKE = Callable[..., World]
DEB = "/pool/main/c/curl/curl_8.0-1_amd64.deb"
SOURCE = "/pool/main/c/curl/curl_8.0-1.dsc"
BODY = b"!<arch>\ndebian-binary"
DAY = 86400.0


@pytest.fixture
async def world(make_world: MAKE) -> AsyncIterator[World]:
    async with make_world(ecosystem="apt").open() as opened:
        for path in (DEB, SOURCE, "/pool/main/c/curl/README"):
            opened.origin.route(path, body=BODY)
        yield opened


def become(world: World, **policy: object) -> None:
    world.mirror = replace(world.mirror, gate=gate(Policy("apt", **policy)))  # type: ignore[arg-type]
    world.engine.forget()


async def known(world: World, version: str = "8.0-1") -> None:
    """Its index names the package."""
    digest = Digest("sha256", hashlib.sha256(BODY).hexdigest())
    fact = Fact(DEB, "", digest, len(BODY), "curl", version)
    await world.facts.put("o", "packages:dists/stable/main/binary-amd64", "1", [fact], world.clock())


async def refused(world: World, path: str, rule: str) -> None:
    for method in ("GET", "HEAD"):
        with pytest.raises(Withheld) as caught:
            await world.ask(path, "", method=method)
        assert caught.value.rule == rule


@pytest.mark.parametrize("indexed", [True, False])
async def test_a_package_is_refused_stored_or_not(world: World, indexed: bool) -> None:
    """PROTOCOLS G.2."""
    if indexed:
        await known(world)
    assert (await world.get(DEB, "")).body == BODY
    become(world, deny=(rule("curl", ecosystem="apt", versions="<< 9"),))
    await refused(world, DEB, "deny")
    become(world, deny=(rule("curl", ecosystem="apt", versions=">= 9"),))
    assert (await world.get(DEB, "")).body == BODY


async def test_what_the_index_says_counts_before_the_name(world: World) -> None:
    await known(world, "1:8.0-1")  # a file's name lacks the epoch
    become(world, deny=(rule("curl", ecosystem="apt", versions=">= 1:0"),))
    await refused(world, DEB, "deny")


async def test_its_source_is_refused_with_it(world: World) -> None:
    become(world, deny=(rule("curl"),))
    await refused(world, SOURCE, "deny")


async def test_it_waits_from_when_an_index_named_it_first(world: World) -> None:
    """PROTOCOLS G.apt."""
    await known(world)
    become(world, min_age=DAY, dates="first-seen")
    await refused(world, DEB, "cooldown")
    world.clock.wind(DAY)
    assert (await world.get(DEB, "")).body == BODY


async def test_a_private_name_is_not_asked_for(world: World) -> None:
    become(world, private=(selector("curl"),))
    await refused(world, DEB, "private")
    assert len(world.origin.log) == 0
