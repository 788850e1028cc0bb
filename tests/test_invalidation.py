"""What requests that change something at the origin, and purges, make of what is stored (RFC 9111 §4.4)."""

from __future__ import annotations

import asyncio

import pytest

from mirror.model import Request
from mirror.operations import Selection
from tests.conftest import Halt, World, send, take
from tests.instruments.answers import Response

FRESH = "cc=max-age=3600"
HELD = [("Cache-Control", "max-age=60")]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"])
async def test_a_success_takes_all_variants_of_the_address(world: World, method: str) -> None:
    def speaks(request: Request) -> Response:
        varied = [*HELD, ("Vary", "Accept-Language")]
        return Response(200, varied, (request.headers.get("accept-language") or method).encode())

    world.origin.route("/doc", body=speaks)
    for language in ("de", "fr"):
        await world.get("/doc", "", accept_language=language)
    assert len(world.blobs()) == 2
    await take(await send(world, method, "/doc", [b"x"]))
    assert world.blobs() == []
    assert (await world.get("/doc", "", accept_language="de")).outcome.startswith("mirror; fwd=uri-miss")


@pytest.mark.parametrize(("method", "status"), [("POST", 500), ("POST", 404), ("OPTIONS", 200), ("QUERY", 200)])
async def test_an_error_or_a_safe_method_takes_nothing(world: World, method: str, status: int) -> None:
    world.origin.route("/doc", 200, HELD, b"0123456789")
    await world.get("/doc", "")
    world.origin.route("/doc", status)
    await take(await send(world, method, "/doc", []))
    assert (await world.get("/doc", "")).reply.outcome.hit


@pytest.mark.parametrize("name", ["Location", "Content-Location"])
async def test_other_addresses_that_the_answer_names_are_taken_too(world: World, name: str) -> None:
    await world.get("/obj/a/1000")
    await world.get("/obj/b/1000")
    world.origin.route("/doc", 201, [(name, f"/obj/a/1000?{FRESH}")])
    await take(await send(world, "POST", "/doc", [b"x"]))
    assert (await world.get("/obj/a/1000")).outcome.startswith("mirror; fwd=uri-miss")
    assert (await world.get("/obj/b/1000")).reply.outcome.hit


async def test_addresses_of_another_origin_are_not_taken(world: World) -> None:
    await world.get("/obj/a/1000")
    world.origin.route("/doc", 201, [("Location", f"http://upstream.test/obj/a/1000?{FRESH}")])
    await take(await send(world, "POST", "/doc", [b"x"]))
    assert (await world.get("/obj/a/1000")).reply.outcome.hit


async def test_a_download_that_began_before_is_not_published(world: World) -> None:
    """1. A reads what was there before. 2. B changes it. 3. A's download ends: it is of before."""
    world.origin.route("/doc", 200, HELD, b"0123456789", shape="hold=1")
    before = await world.ask("/doc", "")
    world.origin.route("/doc", 204)
    await take(await send(world, "DELETE", "/doc"))
    world.origin.release("/doc")
    assert (await take(before)).body == b"0123456789"
    await world.settled()
    assert world.blobs() == []


@pytest.mark.parametrize("location", ["http://a b/", "http://xn--/", "http://[bad/"])
async def test_an_answer_that_names_no_address_takes_its_own_all_the_same(world: World, location: str) -> None:
    world.origin.route("/doc", 200, HELD, b"old")
    await world.get("/doc", "")
    world.origin.route("/doc", 303, [("Location", location)])
    assert (await take(await send(world, "POST", "/doc", [b"x"]))).reply.head.status == 303
    world.origin.route("/doc", 200, HELD, b"new")
    assert (await world.get("/doc", "")).body == b"new"


async def test_an_answer_that_a_later_change_made_wrong_is_not_stored_for_get(world: World) -> None:
    """1. A's POST is answered, and what is stored is looked up. 2. B's PUT is answered, and nothing is stored. 3. A's
    answer, which could be given to a GET, is older than that."""
    halt, text = Halt(), b"of the POST"

    def answers(request: Request) -> Response:
        nonlocal text
        if request.method == "POST":
            world.index.halt = halt
            return Response(200, [*HELD, ("Content-Location", "/doc")], text)
        if request.method == "PUT":
            text = b"of the PUT"
            return Response(204)
        return Response(200, HELD, text)

    world.origin.route("/doc", body=answers)
    posting = asyncio.create_task(send(world, "POST", "/doc", [b"x"]))
    await halt.reached.wait()
    await take(await send(world, "PUT", "/doc", [b"x"]))
    halt.over.set()
    assert (await take(await posting)).body == b"of the POST"
    await world.settled()
    assert (await world.get("/doc", "")).body == b"of the PUT"


async def test_what_was_confirmed_after_a_purge_does_not_come_back(world: World) -> None:
    """1. A asks whether what is stored is right. 2. A purge takes it. 3. B has what is there now stored. 4. A is told
    that the old one is right."""
    halt, old, new = Halt(), [*HELD, ("ETag", '"a"')], [*HELD, ("ETag", '"b"')]
    world.origin.route("/doc", 200, old, b"old")
    await world.get("/doc", "")

    async def answers(request: Request) -> Response:
        if "if-none-match" not in request.headers:
            return Response(200, new, b"new")
        await halt()
        return Response(200, old, b"old")

    world.origin.route("/doc", body=answers)
    asking = asyncio.create_task(world.get("/doc", "", cache_control="no-cache"))
    await halt.reached.wait()
    await world.operations.purge(Selection(urls=("/o/doc",)))
    assert (await world.get("/doc", "")).body == b"new"
    halt.over.set()
    assert (await asking).body == b"new"
    got = await world.get("/doc", "")
    assert (got.body, got.reply.outcome.hit, len(world.blobs())) == (b"new", True, 1)


async def test_an_index_that_cannot_be_read_has_nothing(world: World) -> None:
    world.index.broken = True
    assert len((await world.get("/obj/a/1000")).body) == 1000


async def test_an_index_that_cannot_be_read_keeps_no_answer_to_a_change_back(world: World) -> None:
    world.index.broken = True
    world.origin.route("/doc", 200, [], b"ok")
    assert (await take(await send(world, "POST", "/doc", [b"x"]))).body == b"ok"
    assert world.origin.requests("/doc") == 1
