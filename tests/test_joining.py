"""Who may join a running fill: what is still coming in is used by the same rules as what is stored."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mirror.model import Headers, Request
from mirror.mounts import Mounts
from mirror.ports import Hop
from mirror.web.proxy import Names, Proxy
from mirror.web.replies import INTERIM, Sent, send_reply
from tests.conftest import Halt, World, take
from tests.instruments.answers import Response
from tests.instruments.clock import eventually
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


async def test_who_leaves_before_all_interim_responses_are_out_leaves_no_connection(world: World) -> None:
    """1. A 103 comes, which the client does not read yet. 2. The answer comes. 3. The client leaves."""
    raw, halt = RawOrigin(), Halt()
    await raw.start()
    raw.scripts["/x"] = b"HTTP/1.1 103 Early Hints\r\n\r\n" + HELLO[:-1]
    raw.held.add("/x")
    mirror = replace(world.mirror, upstreams=(raw.url,))

    async def asked() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def sending(message: dict[str, Any]) -> None:
        await halt()

    scope = {"method": "POST", "raw_path": b"/o/x", "query_string": b"", "headers": [], "extensions": {INTERIM: {}}}
    visit = asyncio.create_task(Proxy(world.engine, (mirror,), Names(), Mounts(()), world.clock)(scope, asked, sending))
    await halt.reached.wait()
    await eventually(lambda: world.client.in_use)
    visit.cancel()
    await asyncio.wait([visit])
    await eventually(lambda: not world.client.in_use)
    await raw.stop()


async def test_who_comes_late_is_told_how_old_the_answer_is(world: World) -> None:
    world.origin.route("/doc", 200, [("Cache-Control", "max-age=1000")], BODY, shape="hold=1")
    first = await world.ask("/doc", "")
    world.clock.wind(100)
    second = await world.ask("/doc", "")
    world.origin.release("/doc")
    await take(first)
    sent: list[dict[str, Any]] = []

    async def sending(message: dict[str, Any]) -> None:
        sent.append(message)

    await send_reply(second, Request("GET", "/doc"), sending, Sent(), world.clock())
    assert (b"age", b"100") in sent[0]["headers"]


class TestAnOriginThatIsDown:
    """What is stale stands in for it where the client takes that, and for nobody else (RFC 9111 §4.2.4)."""

    @pytest.fixture(autouse=True)
    async def stale(self, world: World) -> None:
        world.mirror = replace(world.mirror, keep=600.0, client_auth=True)
        world.origin.route("/doc", 200, [("Cache-Control", "max-age=10"), ("ETag", '"a"')], BODY)
        await world.get("/doc", "")
        world.clock.wind(11)

    async def test_who_joins_and_wants_it_confirmed_gets_nothing_stale(self, world: World) -> None:
        """1. What is stored is stale, and A asks. 2. B, who wants it confirmed, waits with A. 3. The origin is down."""
        halt = Halt()

        async def down(_: Request) -> Response:
            await halt()
            return Response(503, [], b"down")

        world.origin.route("/doc", body=down)
        first = asyncio.create_task(world.get("/doc", ""))
        await halt.reached.wait()
        second = asyncio.create_task(world.get("/doc", "", cache_control="no-cache"))
        await world.joined("/o/doc", 2)
        halt.over.set()
        assert ((await first).body, (await second).reply.head.status) == (BODY, 503)

    async def test_it_stands_in_though_another_client_got_an_answer_of_its_own(self, world: World) -> None:
        world.origin.route("/doc", 200, [("Cache-Control", "private")], b"mine")
        assert (await world.get("/doc", "", cookie="alice")).body == b"mine"
        world.origin.route("/doc", 503, [], b"down")
        assert (await world.get("/doc", "")).body == BODY
        assert Headers(world.origin.log[-1].headers).get("if-none-match") == '"a"'


class TestHitForMiss:
    """What one answer said of sharing holds for that answer: the next one is stored where it may be."""

    async def test_an_answer_to_one_clients_credentials_does_not_turn_the_cache_off(self, world: World) -> None:
        world.mirror = replace(world.mirror, client_auth=True)
        await world.get("/obj/a/1000", authorization="Basic eA==")
        assert not (await world.get("/obj/a/1000")).reply.outcome.hit
        assert (await world.get("/obj/a/1000")).reply.outcome.hit

    @pytest.mark.parametrize(("status", "cache_control"), [(503, "max-age=0"), (200, "no-store")])
    async def test_nor_does_a_failure_or_an_answer_that_forbids_it(
        self, world: World, status: int, cache_control: str
    ) -> None:
        world.origin.route("/doc", status, [("Cache-Control", cache_control)], b"first")
        await world.get("/doc", "")
        world.origin.route("/doc", 200, [("Cache-Control", "max-age=60"), ("ETag", '"a"')], BODY)
        assert (await world.get("/doc", "", if_none_match='"b"')).body == BODY
        assert (await world.get("/doc", "")).reply.outcome.hit

    @pytest.mark.row(15, at="3 side by side, none waits for another")
    async def test_side_by_side_they_wait_for_nobody(self, world: World) -> None:
        """Seen red: it is not remembered that an address has nothing to share."""
        world.origin.route("/doc", 200, [("Cache-Control", "no-store")], BODY)
        await world.get("/doc", "")
        go = asyncio.Event()

        async def held(_: Request) -> Response:
            await go.wait()
            return Response(200, [("Cache-Control", "no-store")], BODY)

        world.origin.route("/doc", body=held)
        asking = [asyncio.create_task(world.get("/doc", "")) for _ in range(3)]
        await eventually(lambda: world.origin.requests("/doc") == 4)  # before any of them is answered
        go.set()
        assert [(await got).body for got in asking] == [BODY] * 3


async def test_what_came_without_a_date_is_dated_by_its_arrival(world: World) -> None:
    raw = RawOrigin()
    await raw.start()
    raw.scripts["/x"] = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello"
    world.mirror = replace(world.mirror, upstreams=(raw.url,))
    first = await world.get("/x", "")
    world.clock.wind(30)
    second = await world.get("/x", "")
    assert second.reply.outcome.hit
    assert first.reply.head.headers.all("date") == second.reply.head.headers.all("date") != []
    await raw.stop()
