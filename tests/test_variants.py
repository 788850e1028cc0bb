"""Several answers under one address, and answers that were made to expire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from mirror.errors import OriginError
from mirror.model import Request
from mirror.operations import Selection
from mirror.settings import FillSettings
from tests.conftest import Halt, World, right, send, take
from tests.instruments.answers import Response
from tests.instruments.clock import eventually

VARIED = [("Cache-Control", "max-age=60"), ("Vary", "Accept-Language")]


def speaks(request: Request) -> Response:
    return Response(200, VARIED, (request.headers.get("accept-language") or "none").encode())


def tagged(tags: dict[str, str]) -> Callable[[Request], Response]:
    """Each language has the ETag that stands here now, which is its text, too."""

    def answers(request: Request) -> Response:
        tag = tags[request.headers.get("accept-language") or ""]
        return Response(200, [*VARIED, ("ETag", tag)], tag.encode())

    return answers


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


async def test_what_another_fill_has_stored_meanwhile_is_used(world: World) -> None:
    """1. A finds nothing. 2. B does, asks, and its variant is stored. 3. A begins a fill, under the plain key."""
    world.origin.route("/doc", body=speaks)
    halt = world.index.halt = Halt()
    first = asyncio.create_task(world.get("/doc", "", accept_language="de"))
    await halt.reached.wait()
    await world.get("/doc", "", accept_language="de")
    halt.over.set()
    assert ((await first).body, world.origin.requests("/doc"), len(world.blobs())) == (b"de", 1, 1)


async def test_a_partial_of_one_variant_is_not_gone_on_with_for_another(make_world: Callable[..., World]) -> None:
    """They have one date and one size, and no ETag: If-Range cannot tell them apart."""
    size, fields = 200_000, "cc=max-age=60&vary=Accept-Language&etag=none"
    async with make_world(fill=FillSettings(linger=0.01, finish=0)).open() as world:
        world.origin.route("/doc", target=f"/obj/de/{size}?{fields}&hold=50000")
        broken = await world.ask("/doc", "", accept_language="de")
        await anext(broken.source.read(0, None))
        await broken.source.close()
        await world.settled()
        assert world.leftovers()
        world.origin.route("/doc", target=f"/obj/fr/{size}?{fields}")
        assert right(await world.get("/doc", "", accept_language="fr"), "fr", size)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_varies_from_now_on_is_no_longer_for_all(world: World, method: str) -> None:
    world.origin.route("/doc", 200, [("Cache-Control", "max-age=60"), ("ETag", '"de"')], b"de")
    await world.get("/doc", "", accept_language="de")
    world.origin.route("/doc", body=tagged({"de": '"de"', "fr": '"fr"'}))
    await take(await world.ask("/doc", "", method=method, accept_language="de", cache_control="no-cache"))
    assert (await world.get("/doc", "", accept_language="fr")).body == b'"fr"'
    again = await world.get("/doc", "", accept_language="de")
    assert (again.body, again.reply.outcome.hit) == (b"de", True)


async def test_a_variant_that_is_replaced_leaves_the_bytes_that_another_shares(world: World) -> None:
    tags = {"de": '"1"', "de-at": '"1"'}
    world.origin.route("/doc", body=tagged(tags))
    for language in tags:
        await world.get("/doc", "", accept_language=language)
    assert len(world.blobs()) == 1
    tags["de"] = '"2"'
    assert (await world.get("/doc", "", accept_language="de", cache_control="no-cache")).body == b'"2"'
    other = await world.get("/doc", "", accept_language="de-at")
    assert (other.body, other.reply.outcome.hit) == (b'"1"', True)


@pytest.mark.parametrize("name", ["Range", "If-None-Match"])
async def test_what_varies_by_a_condition_is_asked_for_once(world: World, name: str) -> None:
    world.origin.route("/doc", 200, [("Cache-Control", "max-age=60"), ("Vary", name)], b"0123456789")
    reply = await world.ask("/doc", "", **{name: "bytes=0-1" if name == "Range" else '"a"'})
    assert ((await take(reply)).body, world.origin.requests("/doc")) == (b"0123456789", 1)


async def test_an_answer_to_a_post_that_varies_by_a_condition_arrives_whole(world: World) -> None:
    fields = [("Cache-Control", "max-age=60"), ("Content-Location", "/doc"), ("Vary", "If-Match")]
    world.origin.route("/doc", 200, fields, b"x" * 300_000)
    async with asyncio.timeout(30):
        got = await take(await send(world, "POST", "/doc", [b"a"], if_match='"a"'))
    assert (got.broke, got.body, world.origin.requests("/doc")) == (None, b"x" * 300_000, 1)


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
