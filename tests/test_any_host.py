"""An `any` mirror through the engine: assets behind signed redirects, and the walls around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.errors import OriginForbidden, Refused
from mirror.model import Mirror
from mirror.reach import Reach
from tests.conftest import World, right

ASSET = "/o/r/releases/download/v1/tool.bin"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path / "cache").open() as opened:
        authority = f"127.0.0.1:{opened.origin.port}"
        reach = Reach(("127.0.0.1:*",), private=False, trusted=frozenset({("http", authority)}))
        opened.mirror = Mirror("get", "any", reach=reach)
        yield opened


def at(world: World, path: str) -> str:
    return f"/http/127.0.0.1:{world.origin.port}{path}"


async def test_an_asset_is_stored_under_its_own_address_and_the_signed_one_never_counts(world: World) -> None:
    signed = "cc=private,max-age=5&header=Set-Cookie:a=b&x="
    for number in range(2):
        world.origin.route(ASSET, 302, [("Location", f"/obj/a/100000?{signed}{number}"), ("Cache-Control", "no-cache")])
        world.clock.wind(3600)
        got = await world.get(at(world, ASSET), "")
        assert right(got, "a", 100_000)
        assert (got.reply.outcome.hit, got.reply.head.headers.get("set-cookie")) == (number == 1, None)
    assert world.origin.requests() == 2


async def test_a_login_page_in_place_of_an_asset_is_an_error_and_not_stored(world: World) -> None:
    world.origin.route(ASSET, 200, [("Content-Type", "text/html")], b"<html>sign in</html>")
    with pytest.raises(Exception, match="web page"):
        await world.get(at(world, ASSET), "")
    assert world.blobs() == []


@pytest.mark.row(44, at="a mirror of any host")
async def test_a_redirect_to_a_host_that_is_not_on_the_list_says_which(world: World) -> None:
    world.origin.route(ASSET, 302, [("Location", "http://objects.example.com/x")])
    with pytest.raises(OriginForbidden, match=r"objects\.example\.com"):
        await world.get(at(world, ASSET), "")


@pytest.mark.row(44, at="a mirror of any host")
async def test_a_listed_name_at_a_private_address_is_not_asked(world: World) -> None:
    world.mirror = replace(world.mirror, reach=Reach(("localhost:*",), private=False))
    with pytest.raises(OriginForbidden, match="public"):
        await world.get(f"/http/localhost:{world.origin.port}/obj/a/10", "")
    assert world.origin.requests() == 0


async def test_other_hosts_are_refused(world: World) -> None:
    with pytest.raises(Refused):
        await world.get("/http/upstream.test/x", "")
