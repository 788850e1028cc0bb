"""What goes to the origin past the fills: other methods with bodies, HEAD, POST for GET, redirects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mirror.errors import OriginError
from mirror.model import Headers, Request
from mirror.ports import Hop, Upload
from tests.conftest import Halt, World, send, take
from tests.instruments import bodies
from tests.instruments.answers import Response
from tests.instruments.clock import eventually

FRESH = "cc=max-age=3600"
NOWHERE = [
    "http://a b/",
    "http://[bad/",
    "http://exa%mple/",
    "http://*.x/",
    "http://x:99999/",
    "http://-/",
    "http://xn--/",
]
OLD = [("Cache-Control", "max-age=60"), ("Age", "60"), ("ETag", '"a"'), ("X-Kept", "1")]


class TestOtherMethods:
    async def test_a_body_reaches_the_origin_and_its_answer_the_client(self, world: World) -> None:
        world.origin.route("/doc", 201, [("X-Made", "yes")], b"made")
        got = await take(await send(world, "POST", "/doc", [b"abc"] * 1000, if_match='"a"', x_own="1"))
        assert (got.reply.head.status, got.body, got.reply.head.headers.get("x-made")) == (201, b"made", "yes")
        (record,) = world.origin.log
        sent = Headers(record.headers)
        assert (record.method, record.received) == ("POST", 3000)
        assert (sent.get("if-match"), sent.get("x-own"), sent.get("via")) == ('"a"', "1", "1.1 mirror")
        assert not world.blobs()

    async def test_a_body_of_unknown_length_is_sent_in_chunks(self, world: World) -> None:
        world.origin.route("/doc", 200, [], b"ok")

        async def chunks() -> AsyncIterator[bytes]:
            yield b"x" * 100_000
            yield b"y"

        request = Request("PUT", "/doc", base="http://mirror.test/o")
        got = await take(await world.engine.answer(world.mirror, request, Hop(Upload(None, chunks()))))
        assert (got.body, world.origin.log[0].received) == (b"ok", 100_001)

    async def test_an_answer_that_comes_before_the_body_was_sent_is_handed_on(self, world: World) -> None:
        world.origin.route("/doc", 413, [], b"no")
        got = await take(await send(world, "POST", "/doc", []))
        assert (got.reply.head.status, got.body) == (413, b"no")

    async def test_a_client_that_leaves_within_its_body_costs_the_origin_an_incomplete_request(
        self, world: World
    ) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"x" * 10
            raise ConnectionResetError("the client has gone")

        request = Request("POST", "/doc", base="http://mirror.test/o")
        with pytest.raises(OriginError):
            await world.engine.answer(world.mirror, request, Hop(Upload(20, chunks())))
        assert world.origin.requests("/doc") == 0  # it never got a whole one
        await eventually(lambda: world.origin.open == 0)
        assert world.client.in_use == {}


class TestHead:
    """RFC 9111 §4.3.5."""

    async def test_it_renews_what_it_describes(self, world: World) -> None:
        world.origin.route("/doc", 200, OLD, b"0123456789")
        await world.get("/doc", "")
        world.origin.route(
            "/doc", 200, [("Cache-Control", "max-age=60"), ("ETag", '"a"'), ("X-New", "1")], b"0123456789"
        )
        head = await world.ask("/doc", "", method="HEAD")
        assert (head.head.headers.get("x-kept"), head.head.headers.get("x-new")) == ("1", "1")
        await head.source.close()
        assert [record.method for record in world.origin.log] == ["GET", "HEAD"]
        got = await world.get("/doc", "")
        assert (got.reply.outcome.hit, got.reply.head.headers.get("x-new")) == (True, "1")

    async def test_what_it_contradicts_is_asked_for_again_though_it_was_fresh(self, world: World) -> None:
        world.origin.route("/doc", 200, [("Cache-Control", "max-age=60"), ("ETag", '"a"')], b"old")
        await world.get("/doc", "")
        world.origin.route("/doc", 200, [("Cache-Control", "max-age=60"), ("ETag", '"b"')], b"new!")
        await take(await world.ask("/doc", "", method="HEAD", cache_control="no-cache"))
        got = await world.get("/doc", "")
        assert (got.body, got.reply.outcome.fwd) == (b"new!", "stale")

    async def test_an_origin_that_is_gone_is_stood_in_for(self, world: World) -> None:
        world.mirror = world.mirror.__class__("o", "http", world.mirror.upstreams, keep=600.0)
        world.origin.route("/doc", 200, OLD, b"0123456789")
        await world.get("/doc", "")
        world.origin.down()
        head = await world.ask("/doc", "", method="HEAD")
        assert (head.head.status, "stale-if-error" in str(head.outcome)) == (200, True)
        await head.source.close()

    async def test_an_answer_that_is_older_than_what_is_stored_says_nothing_of_it(self, world: World) -> None:
        """1. HEAD asks about A. 2. A fill replaces A by B. 3. HEAD's answer refutes A, which is not to come back."""
        halt, fresh = Halt(), ("Cache-Control", "max-age=60")
        world.origin.route("/doc", 200, [fresh, ("ETag", '"a"')], b"old")
        await world.get("/doc", "")

        async def answers(request: Request) -> Response:
            if request.method == "HEAD":
                await halt()
            return Response(200, [fresh, ("ETag", '"b"')], b"new!")

        world.origin.route("/doc", body=answers)
        asking = asyncio.create_task(world.ask("/doc", "", method="HEAD", cache_control="no-cache"))
        await halt.reached.wait()
        await world.get("/doc", "", cache_control="no-cache")
        halt.over.set()
        await take(await asking)
        got = await world.get("/doc", "")
        assert (got.body, got.reply.outcome.hit, len(world.blobs())) == (b"new!", True, 1)


class TestLengthOfHead:
    """RFC 9110 §8.6: a HEAD has the length that a GET would have, whoever else asks for what."""

    async def test_where_the_client_wants_nothing_stored(self, world: World) -> None:
        assert await length_of_head(world, "/obj/a/1000", cache_control="no-store") == "1000"

    async def test_while_an_answer_for_one_client_alone_is_on_its_way(self, world: World) -> None:
        world.origin.route("/doc", 200, [("Cache-Control", "private")], b"x" * 1000, shape="hold=10")
        first = await world.ask("/doc", "")
        assert await length_of_head(world, "/doc") == "1000"
        world.origin.release("/doc")
        assert (await take(first)).body == b"x" * 1000

    async def test_while_it_is_known_that_answers_are_for_one_client_each(self, world: World) -> None:
        world.origin.route("/doc", 200, [("Cache-Control", "private")], b"x" * 1000)
        await world.get("/doc", "")
        assert await length_of_head(world, "/doc") == "1000"


async def length_of_head(world: World, path: str, **fields: str) -> str | None:
    return (await take(await world.ask(path, "", method="HEAD", **fields))).reply.head.headers.get("content-length")


class TestPostForGet:
    """RFC 9110 §9.3.3."""

    async def test_an_answer_that_says_so_is_stored(self, world: World) -> None:
        world.origin.route("/doc", 200, [("Cache-Control", "max-age=60"), ("Content-Location", "/doc")], b"made")
        first = await take(await send(world, "POST", "/doc", [b"x"]))
        second = await world.get("/doc", "")
        assert (first.body, second.body, second.reply.outcome.hit) == (b"made", b"made", True)
        assert [record.method for record in world.origin.log] == ["POST"]

    async def test_what_happens_to_other_addresses_meanwhile_is_no_reason_not_to(self, world: World) -> None:
        halt = Halt()

        async def made(request: Request) -> Response:
            if request.method == "POST":
                await halt()
            return Response(200, [("Cache-Control", "max-age=60"), ("Content-Location", "/doc")], b"made")

        world.origin.route("/doc", body=made)
        world.origin.route("/other", 200, [], b"")
        first = asyncio.create_task(send(world, "POST", "/doc", [b"x"]))
        await halt.reached.wait()
        await take(await send(world, "PUT", "/other", [b"x"]))
        halt.over.set()
        await take(await first)
        assert (await world.get("/doc", "")).reply.outcome.hit

    @pytest.mark.parametrize(
        "fields",
        [
            [("Cache-Control", "max-age=60")],
            [("Content-Location", "/doc")],
            [("Cache-Control", "max-age=60"), ("Content-Location", "/other")],
            [("Cache-Control", "no-store, max-age=60"), ("Content-Location", "/doc")],
        ],
    )
    async def test_others_are_not(self, world: World, fields: list[tuple[str, str]]) -> None:
        world.origin.route("/doc", 200, fields, b"made")
        assert (await take(await send(world, "POST", "/doc", [b"x"]))).body == b"made"
        assert not (await world.get("/doc", "")).reply.outcome.hit


async def test_a_redirect_is_handed_on_or_followed_as_the_mirror_is_told(world: World) -> None:
    world.origin.route("/old", 302, [("Location", f"/obj/a/10?{FRESH}")])
    handed = await world.get("/old", "")
    assert (handed.reply.head.status, handed.reply.head.headers.get("location")) == (302, f"/obj/a/10?{FRESH}")
    world.mirror = world.mirror.__class__("o", "http", world.mirror.upstreams, follow=True)
    followed = await world.get("/old", "")
    assert (followed.reply.head.status, followed.body) == (200, bodies.body("a", 0, 10))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("location", [*NOWHERE, "//", "myapp://cb?x=1"])
async def test_a_redirect_to_where_we_could_not_go_is_handed_on(world: World, location: str, method: str) -> None:
    world.origin.route("/old", 302, [("Location", location)], b"moved")
    got = await take(await send(world, method, "/old"))
    headers = got.reply.head.headers
    assert (got.reply.head.status, got.body, headers.get("location")) == (302, b"moved", location)
