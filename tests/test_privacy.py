"""What an origin tells one client reaches no other: cookies, `private`, answers to credentials (RFC 9111 §3, §3.5)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mirror.model import Headers, Request
from tests.conftest import Got, Halt, World, take
from tests.instruments.answers import Response

PAGE = [("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT"), ("ETag", '"a"')]
SESSION = [("Cache-Control", "private, max-age=60"), ("Set-Cookie", "sid=alice")]


@pytest.fixture
def world(world: World) -> World:
    """One whose mirror hands its clients' credentials on."""
    world.mirror = replace(world.mirror, client_auth=True)
    return world


def personal(got: Got) -> Headers:
    return got.reply.head.headers.only(("set-cookie", "x-user"))


@pytest.mark.row(43, at="cookies, credentials and private answers, in a row and at once")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"cookie": "alice"}, SESSION),
        ({"authorization": "Basic eA=="}, [("Cache-Control", "max-age=60"), ("X-User", "alice")]),
        ({}, [("Set-Cookie", "sid=alice")]),  # and no word on how long it holds, or for whom
    ],
    ids=["private", "credentials", "cookie"],
)
async def test_what_confirms_a_page_to_one_client_adds_nothing_to_the_page_of_others(
    world: World, method: str, sent: dict[str, str], told: list[tuple[str, str]]
) -> None:
    world.origin.route("/page", 200, PAGE, b"page")
    await world.get("/page", "")
    world.origin.route("/page", 200, [*PAGE, *told], b"page")
    alice = await take(await world.ask("/page", "", method=method, cache_control="no-cache", **sent))
    bob = await world.get("/page", "")
    assert (personal(alice), alice.reply.outcome.fwd_status) == (Headers.of(told[-1:]), 304)
    assert (personal(bob), bob.body, bob.reply.outcome.hit) == (Headers(), b"page", True)


@pytest.mark.row(43, at="cookies, credentials and private answers, in a row and at once")
async def test_who_waits_with_a_client_is_not_given_that_clients_session(world: World) -> None:
    """1. Alice asks whether the page is right. 2. Bob asks, and waits with her. 3. It is, and Alice has a session."""
    halt = Halt()

    async def page(request: Request) -> Response:
        if "cookie" not in request.headers:
            return Response(200, PAGE, b"page")
        await halt()
        return Response(200, [*PAGE, *SESSION], b"page")

    world.origin.route("/page", body=page)
    await world.get("/page", "")
    alice = asyncio.create_task(world.get("/page", "", cache_control="no-cache", cookie="alice"))
    await halt.reached.wait()
    bob = asyncio.create_task(world.get("/page", "", cache_control="no-cache"))
    await world.joined("/o/page", 2)
    halt.over.set()
    assert personal(await alice) == Headers.of(SESSION[-1:])
    assert (personal(await bob), (await bob).body) == (Headers(), b"page")
