"""Who may join a running fill: what is still coming in is used by the same rules as what is stored."""

from __future__ import annotations

import asyncio

import pytest

from mirror.model import Headers, Request
from mirror.ports import Hop
from tests.conftest import World, take
from tests.instruments.answers import Response
from tests.origin.scripted import HELLO, RawOrigin

BODY = b"0123456789"


@pytest.mark.parametrize(
    ("fields", "shared"),
    [
        ([("Cache-Control", "max-age=60")], True),
        ([("Cache-Control", "max-age=60, no-cache")], False),
        ([("Cache-Control", "max-age=60"), ("Age", "60")], False),
        ([("Cache-Control", "max-age=60"), ("Age", "60"), ("ETag", '"a"')], True),
    ],
)
async def test_a_late_request_joins_where_the_answer_may_be_reused_or_the_origin_confirms_it(
    world: World, fields: list[tuple[str, str]], shared: bool
) -> None:
    world.origin.route("/doc", 200, fields, BODY, shape="hold=1")
    first = await world.ask("/doc", "")
    world.origin.route("/doc", 200, fields, BODY)
    second = await world.ask("/doc", "")
    assert second.outcome.collapsed is shared
    world.origin.release("/doc")
    assert [(await take(reply)).body for reply in (first, second)] == [BODY, BODY]
    full = [record for record in world.origin.log if record.status == 200]
    assert len(full) == (1 if shared else 2)


async def test_a_late_request_gets_what_is_there_now_when_the_origin_says_so(world: World) -> None:
    stale = [("Cache-Control", "max-age=60"), ("Age", "60")]
    world.origin.route("/doc", 200, [*stale, ("ETag", '"a"')], b"old", shape="hold=1")
    first = await world.ask("/doc", "")
    world.origin.route("/doc", 200, [*stale, ("ETag", '"b"')], b"new!")
    assert (await world.get("/doc", "")).body == b"new!"
    world.origin.release("/doc")
    assert (await take(first)).body == b"old"


async def test_what_varies_is_offered_to_the_origin_and_is_a_hit_from_then_on(world: World) -> None:
    fields = [("Cache-Control", "max-age=60"), ("Vary", "Accept-Language"), ("ETag", '"a"')]
    world.origin.route("/doc", 200, fields, BODY)
    await world.get("/doc", "", accept_language="de")
    got = await world.get("/doc", "", accept_language="fr")
    assert (got.body, got.outcome) == (BODY, "mirror; fwd=stale; fwd-status=304")
    assert Headers(world.origin.log[-1].headers).get("if-none-match") == '"a"'
    assert (await world.get("/doc", "", accept_language="fr")).reply.outcome.hit
    assert len(world.blobs()) == 1


async def test_a_304_that_names_no_variant_is_asked_again_once(world: World) -> None:
    def answers(request: Request) -> Response:
        fields = [("Cache-Control", "max-age=60"), ("Vary", "Accept-Language"), ("ETag", '"a"')]
        return Response(304) if "if-none-match" in request.headers else Response(200, fields, BODY)

    world.origin.route("/doc", body=answers)
    await world.get("/doc", "", accept_language="de")
    assert (await world.get("/doc", "", accept_language="fr")).body == BODY
    assert world.origin.requests("/doc") == 3


async def test_all_who_wait_are_told_of_interim_responses(world: World) -> None:
    raw = RawOrigin()
    await raw.start()
    raw.scripts["/x"], raw.later["/x"] = b"", b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n" + HELLO
    world.mirror = world.mirror.__class__("o", "http", (raw.url,))
    heard: list[int] = []
    hop = Hop(interim=lambda status, _: heard.append(status))
    asking = [asyncio.create_task(world.engine.answer(world.mirror, Request("GET", "/x"), hop)) for _ in range(2)]
    await raw.until(lambda: len(raw.asked) == 1)
    raw.go.set()
    assert [(await take(await reply)).body for reply in asking] == [b"hello", b"hello"]
    assert heard == [103, 103]
    await raw.stop()
