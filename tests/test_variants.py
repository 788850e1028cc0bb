"""Several answers under one address, and answers that were made to expire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirror.errors import OriginError
from mirror.model import Request
from mirror.operations import Selection
from tests.conftest import World, right, take
from tests.instruments.answers import Response
from tests.instruments.clock import eventually

VARIED = [("Cache-Control", "max-age=60"), ("Vary", "Accept-Language")]


def speaks(request: Request) -> Response:
    return Response(200, VARIED, (request.headers.get("accept-language") or "none").encode())


async def test_no_client_gets_the_variant_of_another_and_each_is_stored(world: World) -> None:
    world.origin.route("/doc", body=speaks)
    for _ in range(2):
        for language in ("de", "fr"):
            assert (await world.get("/doc", "", accept_language=language)).body == language.encode()
    assert (await world.get("/doc", "")).body == b"none"
    assert world.origin.requests("/doc") == 3


async def test_a_client_that_joins_a_running_fill_is_not_given_another_variant(world: World) -> None:
    world.origin.route("/doc", body=speaks, shape="hold=1")
    first = await world.ask("/doc", "", accept_language="de")
    world.origin.route("/doc", body=speaks)
    assert (await world.get("/doc", "", accept_language="fr")).body == b"fr"
    world.origin.release("/doc")
    assert (await take(first)).body == b"de"


async def test_a_purge_takes_all_variants(world: World) -> None:
    world.origin.route("/doc", body=speaks)
    for language in ("de", "fr"):
        await world.get("/doc", "", accept_language=language)
    assert (await world.operations.purge(Selection(urls=("/o/doc",)))).purged == 2
    assert not world.blobs()


async def test_a_prefix_without_a_slash_means_that_mirror_and_no_other(world: World) -> None:
    await world.get("/obj/a/10")
    world.mirror = replace(world.mirror, name="other")
    await world.get("/obj/a/10")
    assert (await world.operations.purge(Selection(prefixes=("/o",)))).matched == 1


async def test_what_a_soft_purge_made_to_expire_stands_in_for_an_origin_that_fails(world: World) -> None:
    world.mirror = replace(world.mirror, keep=600.0)
    await world.get("/obj/a/1000", "cc=max-age=3600")
    world.clock.wind(100)
    purged = await world.operations.purge(Selection(everything=True), soft=True)
    assert (purged.purged, purged.bytes) == (1, 0)
    world.origin.down()
    got = await world.get("/obj/a/1000", "cc=max-age=3600")
    assert right(got, "a", 1000)
    assert "stale-if-error" in got.outcome
    world.clock.wind(601)
    with pytest.raises(OriginError):
        await world.ask("/obj/a/1000", "cc=max-age=3600")


async def test_a_304_that_nobody_asked_for_is_an_error_and_not_asked_again_for_ever(world: World) -> None:
    world.origin.route("/odd", 304)
    with pytest.raises(OriginError, match="304"):
        await world.ask("/odd", "")
    await eventually(lambda: not world.fills.running())
    assert world.origin.requests("/odd") == 1
