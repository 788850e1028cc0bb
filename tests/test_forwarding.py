"""What goes to the origin past the fills: other methods with bodies, HEAD, and what follows for what is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mirror.errors import OriginError
from mirror.model import Headers, Request
from mirror.ports import Hop, Upload
from mirror.reply import Reply
from tests.conftest import World, take
from tests.instruments import bodies
from tests.instruments.answers import Response
from tests.instruments.clock import eventually

FRESH = "cc=max-age=3600"
OLD = [("Cache-Control", "max-age=60"), ("Age", "60"), ("ETag", '"a"'), ("X-Kept", "1")]


async def send(world: World, method: str, path: str, body: list[bytes] | None = None, **fields: str) -> Reply:
    """The reply to a request with this body; its length is announced."""

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in body or ():
            yield chunk

    upload = Upload(sum(map(len, body)), chunks()) if body is not None else None
    headers = Headers.of({name.replace("_", "-"): value for name, value in fields.items()})
    request = Request(method, path, "", headers, "http://mirror.test/o")
    return await world.engine.answer(world.mirror, request, Hop(upload))


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


class TestInvalidation:
    """RFC 9111 §4.4."""

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"])
    async def test_a_success_takes_all_variants_of_the_address(self, world: World, method: str) -> None:
        def speaks(request: Request) -> Response:
            varied = [("Cache-Control", "max-age=60"), ("Vary", "Accept-Language")]
            return Response(200, varied, (request.headers.get("accept-language") or method).encode())

        world.origin.route("/doc", body=speaks)
        for language in ("de", "fr"):
            await world.get("/doc", "", accept_language=language)
        assert len(world.blobs()) == 2
        await take(await send(world, method, "/doc", [b"x"]))
        assert world.blobs() == []
        assert (await world.get("/doc", "", accept_language="de")).outcome.startswith("mirror; fwd=uri-miss")

    @pytest.mark.parametrize(("method", "status"), [("POST", 500), ("POST", 404), ("OPTIONS", 200), ("QUERY", 200)])
    async def test_an_error_or_a_safe_method_takes_nothing(self, world: World, method: str, status: int) -> None:
        world.origin.route("/doc", 200, [("Cache-Control", "max-age=60")], b"0123456789")
        await world.get("/doc", "")
        world.origin.route("/doc", status)
        await take(await send(world, method, "/doc", []))
        assert (await world.get("/doc", "")).reply.outcome.hit

    @pytest.mark.parametrize("name", ["Location", "Content-Location"])
    async def test_other_addresses_that_the_answer_names_are_taken_too(self, world: World, name: str) -> None:
        await world.get("/obj/a/1000")
        await world.get("/obj/b/1000")
        world.origin.route("/doc", 201, [(name, f"/obj/a/1000?{FRESH}")])
        await take(await send(world, "POST", "/doc", [b"x"]))
        assert (await world.get("/obj/a/1000")).outcome.startswith("mirror; fwd=uri-miss")
        assert (await world.get("/obj/b/1000")).reply.outcome.hit

    async def test_not_those_of_another_origin(self, world: World) -> None:
        await world.get("/obj/a/1000")
        world.origin.route("/doc", 201, [("Location", f"http://upstream.test/obj/a/1000?{FRESH}")])
        await take(await send(world, "POST", "/doc", [b"x"]))
        assert (await world.get("/obj/a/1000")).reply.outcome.hit

    async def test_a_download_that_began_before_is_not_published(self, world: World) -> None:
        """1. A reads what was there before. 2. B changes it. 3. A's download ends: it is of before."""
        held = [("Cache-Control", "max-age=60")]
        world.origin.route("/doc", 200, held, b"0123456789", shape="hold=1")
        before = await world.ask("/doc", "")
        world.origin.route("/doc", 204)
        await take(await send(world, "DELETE", "/doc"))
        world.origin.release("/doc")
        assert (await take(before)).body == b"0123456789"
        await world.settled()
        assert world.blobs() == []


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


class TestPostForGet:
    """RFC 9110 §9.3.3."""

    async def test_an_answer_that_says_so_is_stored(self, world: World) -> None:
        world.origin.route("/doc", 200, [("Cache-Control", "max-age=60"), ("Content-Location", "/doc")], b"made")
        first = await take(await send(world, "POST", "/doc", [b"x"]))
        second = await world.get("/doc", "")
        assert (first.body, second.body, second.reply.outcome.hit) == (b"made", b"made", True)
        assert [record.method for record in world.origin.log] == ["POST"]

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
