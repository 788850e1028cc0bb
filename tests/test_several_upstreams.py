"""Two upstreams of one mirror: one breaks off in mid-body, lies, is busy or dead, and the other stands in."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mirror.errors import Mismatch, OriginError
from mirror.operations import Selection
from mirror.origin import OriginSettings
from mirror.settings import FillSettings
from tests.conftest import Got, World, right, take
from tests.instruments import bodies
from tests.instruments.clock import eventually
from tests.instruments.origin import Origin

SIZE = 3_000_000
HALF = SIZE // 2
DIGEST = hashlib.sha256(bodies.body("a", 0, SIZE)).hexdigest()
NAMED = f"/dists/stable/main/binary-all/by-hash/SHA256/{DIGEST}"  # of an `apt` mirror: its digest is known
PLAIN = "/file"
QUICK = OriginSettings(retries=0, head_timeout=0.5, min_rate_window=0.3)


@dataclass
class Pair:
    """A world with a second upstream. The object `a` stands at `path` of both, each with faults of its own."""

    world: World
    second: Origin
    path: str

    @property
    def first(self) -> Origin:
        return self.world.origin

    def offer(self, first: str = "", second: str = "") -> None:
        for origin, shape in ((self.first, first), (self.second, second)):
            origin.route(self.path, target=f"/obj/a/{SIZE}?cc=max-age=3600&{shape}")

    async def get(self) -> Got:
        return await self.world.get(self.path, "")

    def ranges(self) -> list[str]:
        """What the second was asked for."""
        return [record.range for record in self.second.log]

    async def nothing_is_stored(self) -> bool:
        await self.world.settled()
        return not self.world.blobs()


async def pair_of(tmp_path: Path, ecosystem: str, path: str) -> AsyncIterator[Pair]:
    settings = FillSettings(linger=0.01, retries=2)
    world = World(tmp_path / "cache", ecosystem=ecosystem, speak=QUICK, fill=settings)
    async with world.open(), Origin() as second:
        world.mirror = replace(world.mirror, upstreams=(world.origin.url(), second.url()))
        yield Pair(world, second, path)
        await world.settled()


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[Pair]:
    """What ties the upstreams together is their validator."""
    async for pair in pair_of(tmp_path, "http", PLAIN):
        yield pair


@pytest.fixture
async def named(tmp_path: Path) -> AsyncIterator[Pair]:
    """What ties the upstreams together is the digest."""
    async for pair in pair_of(tmp_path, "apt", NAMED):
        yield pair


class TestInMidBody:
    @pytest.mark.row(17, at="cut, reset or silent at half: the rest from the second upstream, by range")
    @pytest.mark.row(20, at="silent at half: the second upstream goes on")
    @pytest.mark.parametrize("fault", ["cut=50%25", "reset=50%25", "stall=50%25"])
    async def test_the_rest_comes_from_the_next_by_range(self, plain: Pair, fault: str) -> None:
        plain.offer(fault)
        assert right(await plain.get(), "a", SIZE)
        assert plain.first.requests() == 1  # it would break off again
        assert len(plain.ranges()) == 1
        begin = int(plain.ranges()[0].removeprefix("bytes=").partition("-")[0])
        assert 0 < begin <= HALF
        assert plain.second.sent() == SIZE - begin
        assert (await plain.get()).reply.outcome.hit

    @pytest.mark.row(17, at="the second upstream goes on, with and without ranges")
    async def test_who_dies_in_mid_body_costs_the_others_no_more_than_the_first_failures(self, plain: Pair) -> None:
        plain.offer("hold=50%25")
        reply = await plain.world.ask(PLAIN, "")
        await eventually(lambda: plain.first.sent() >= HALF)
        plain.first.down()
        assert right(await take(reply), "a", SIZE)
        assert plain.second.sent() <= SIZE - HALF + 262_144

    @pytest.mark.row(17, at="the second upstream goes on, with and without ranges")
    async def test_the_next_without_ranges_is_compared_byte_by_byte_and_gone_on_with(self, plain: Pair) -> None:
        plain.offer("cut=50%25", "ranges=0")
        assert right(await plain.get(), "a", SIZE)
        assert (plain.first.requests(), plain.second.requests()) == (1, 1)
        assert plain.second.sent() == SIZE

    async def test_and_so_is_one_of_which_nothing_but_its_bytes_is_known(self, plain: Pair) -> None:
        plain.offer("cut=50%25&etag=none&lm=none", "etag=none&lm=none")
        assert right(await plain.get(), "a", SIZE)
        assert (plain.first.requests(), plain.second.requests()) == (1, 1)

    @pytest.mark.row(5, at="a second upstream with other bytes is never put behind the first half")
    @pytest.mark.parametrize("validators", ["", "&etag=none&lm=none"])
    async def test_one_that_has_another_object_is_left_for_the_one_that_began(
        self, plain: Pair, validators: str
    ) -> None:
        plain.offer(f"cut=50%25&times=1{validators}", f"version=1{validators}")
        assert right(await plain.get(), "a", SIZE)
        assert (plain.first.requests(), plain.second.requests()) == (2, 1)

    async def test_where_no_other_has_it_the_client_is_cut_off_and_the_next_request_right(self, plain: Pair) -> None:
        plain.offer("hold=50%25", "version=1")
        reply = await plain.world.ask(PLAIN, "")
        await eventually(lambda: plain.first.sent() >= HALF)
        plain.first.down()
        got = await take(reply)
        assert isinstance(got.broke, OriginError)
        assert len(got.body) < SIZE
        assert got.body == bodies.body("a", 0, len(got.body))  # and not one byte of the other
        assert await plain.nothing_is_stored()
        assert right(await plain.get(), bodies.versioned("a", 1), SIZE)

    async def test_one_that_lacks_it_is_left_for_the_one_that_began(self, plain: Pair) -> None:
        plain.offer("cut=50%25&times=1")
        plain.second.route(PLAIN, 404)
        assert right(await plain.get(), "a", SIZE)


class TestWithADigest:
    @pytest.mark.parametrize("second", ["etag=v2:after=0", "etag=none&lm=none", "etag=weak"])
    async def test_two_that_name_it_differently_go_together(self, named: Pair, second: str) -> None:
        named.offer("cut=50%25", second)
        assert right(await named.get(), "a", SIZE)
        assert named.first.requests() == 1
        assert named.second.sent() < SIZE
        assert (await named.get()).reply.outcome.hit

    @pytest.mark.row(5, at="a second upstream with other bytes is never put behind the first half")
    @pytest.mark.row(7, at="the wrong half comes from a second upstream")
    async def test_other_bytes_of_the_next_are_never_a_whole_body(self, named: Pair) -> None:
        named.offer("cut=50%25&times=1", "version=1")
        got = await named.get()
        assert isinstance(got.broke, Mismatch)
        assert len(got.body) < SIZE
        assert await named.nothing_is_stored()
        assert not named.world.leftovers()
        assert right(await named.get(), "a", SIZE)

    @pytest.mark.row(5, at="a second upstream with other bytes is never put behind the first half")
    async def test_one_that_changes_its_own_name_for_it_is_not_believed(self, named: Pair) -> None:
        named.offer("cut=50%25&times=1&etag=flip")
        named.world.mirror = replace(named.world.mirror, upstreams=(named.first.url(),))
        got = await named.get()
        assert isinstance(got.broke, OriginError)
        assert await named.nothing_is_stored()

    async def test_what_was_kept_is_gone_on_with_at_the_next(self, named: Pair) -> None:
        named.offer("hold=50%25", "etag=v2:after=0")
        reply = await named.world.ask(NAMED, "")
        await eventually(lambda: named.first.sent() >= HALF)
        mirror = named.world.mirror
        await named.world.stop()
        await reply.source.close()
        await named.world.start()
        named.world.mirror = mirror
        named.first.down()
        assert right(await named.get(), "a", SIZE)
        assert named.second.sent() < SIZE


RELEASE = "/dists/stable/InRelease"
SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n-----BEGIN PGP SIGNATURE-----\n"


class TestWhatIsNotThere:
    @pytest.mark.row(19, at="404 and 410: 60 s")
    @pytest.mark.parametrize("status", [404, 410])
    async def test_it_is_remembered_for_a_while(self, named: Pair, status: int) -> None:
        named.first.route(RELEASE, status)
        for _ in range(3):
            assert (await named.world.get(RELEASE, "")).reply.head.status == status
        assert named.first.requests() == 1
        named.world.clock.wind(61)
        named.first.route(RELEASE, body=SIGNED)
        assert (await named.world.get(RELEASE, "")).body == SIGNED

    @pytest.mark.parametrize("status", [400, 401, 403, 407, 408, 425, 429, 451, 500, 502, 503, 504])
    async def test_no_other_answer_means_that(self, named: Pair, status: int) -> None:
        named.world.mirror = replace(named.world.mirror, upstreams=(named.first.url(),))
        named.first.route(RELEASE, status)
        for _ in range(2):
            if status == 500:
                with pytest.raises(OriginError, match="the origin answered 500"):
                    await named.world.get(RELEASE, "")
                await named.world.settled()
            else:
                assert (await named.world.get(RELEASE, "")).reply.head.status == status
        assert named.first.requests() == 2
        assert await named.nothing_is_stored()
        named.first.route(RELEASE, body=SIGNED)
        assert (await named.world.get(RELEASE, "")).body == SIGNED

    async def test_what_a_lesser_upstream_lacks_is_not_known_while_a_preferred_one_is_silent(self, named: Pair) -> None:
        named.first.route(RELEASE, body=SIGNED, shape="wait=30&times=1")
        named.second.route(RELEASE, 404)
        with pytest.raises(OriginError, match=r"no such file, but .*, which is preferred, could not be asked"):
            await named.world.get(RELEASE, "")
        assert await named.nothing_is_stored()
        assert (await named.world.get(RELEASE, "")).body == SIGNED

    async def test_and_a_rest_of_the_preferred_one_is_no_knowledge_either(self, named: Pair) -> None:
        named.second.route(RELEASE, 404)
        named.first.down()
        for _ in range(7):
            with pytest.raises(OriginError):
                await named.world.get(RELEASE, "")
        assert await named.nothing_is_stored()


class TestBusy:
    @pytest.mark.row(18, at="503: 20 requests are served from the store, the upstream is asked twice")
    async def test_what_is_stored_is_served_and_the_upstream_left_alone(
        self, named: Pair, caplog: pytest.LogCaptureFixture
    ) -> None:
        named.world.mirror = replace(named.world.mirror, upstreams=(named.first.url(),), keep=86400.0)
        named.first.route(RELEASE, body=SIGNED)
        await named.world.get(RELEASE, "")
        named.world.clock.wind(1000)
        named.first.route(RELEASE, 503, [("Retry-After", "60")])
        for _ in range(20):
            got = await named.world.get(RELEASE, "")
            assert got.body == SIGNED
            assert "detail=stale-if-error" in got.outcome
        assert named.first.requests() == 2
        assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 2
        named.world.clock.wind(60)
        named.first.route(RELEASE, body=SIGNED)
        assert (await named.world.get(RELEASE, "")).body == SIGNED
        await eventually(lambda: named.world.client.health()[named.first.url()].state == "up")
        assert "stale-if-error" not in (await named.world.get(RELEASE, "")).outcome

    async def test_a_failure_that_is_handed_on_says_when_to_come_again(self, named: Pair) -> None:
        named.first.route(RELEASE, 503, [("Retry-After", "60"), ("Set-Cookie", "a=b")])
        named.second.route(RELEASE, 502)
        reply = await named.world.ask(RELEASE, "")
        await reply.source.close()
        assert (reply.head.status, reply.head.headers.get("retry-after")) == (503, "60")
        assert "set-cookie" not in reply.head.headers


class TestTheWrongFile:
    """What cannot be what was asked for is known before anybody got a byte of it, or when the digest tells."""

    @pytest.mark.parametrize("stall", [False, True])
    async def test_another_upstreams_is_taken_before_a_byte_is_out(self, named: Pair, stall: bool) -> None:
        named.offer("stall=0")
        if not stall:
            named.first.route(NAMED, headers=[("content-type", "text/html")], body=b"<html>log in")
        assert right(await named.get(), "a", SIZE)
        assert (await named.get()).reply.outcome.hit

    async def test_and_so_it_is_where_the_size_is_another_than_the_index_says(self, named: Pair) -> None:
        packages = b"Package: thing\n"
        line = f"SHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} main/binary-all/Packages\n"
        release = SIGNED.replace(b"x\n", line.encode())
        for origin, body in ((named.first, packages[:5]), (named.second, packages)):
            origin.route(RELEASE, body=release)
            origin.route("/dists/stable/main/binary-all/Packages", body=body)
        assert (await named.world.get("/dists/stable/main/binary-all/Packages", "")).body == packages
        assert named.first.requests("/dists/stable/main/binary-all/Packages") == 1

    @pytest.mark.row(7, at="the upstream with wrong bytes is left alone")
    async def test_a_small_body_that_is_wrong_is_taken_from_another_and_its_upstream_is_not_asked_for_a_while(
        self, named: Pair
    ) -> None:
        packages = b"Package: thing\n"
        line = f"SHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} main/binary-all/Packages\n"
        release = SIGNED.replace(b"x\n", line.encode())
        for origin, body in ((named.first, packages.upper()), (named.second, packages)):
            origin.route(RELEASE, body=release)
            origin.route("/dists/stable/main/binary-all/Packages", body=body)
        for _ in range(2):
            got = await named.world.get("/dists/stable/main/binary-all/Packages", "")
            assert (got.body, got.reply.outcome.hit) == (packages, False)
            await named.world.operations.purge(Selection(everything=True))
        assert named.first.requests("/dists/stable/main/binary-all/Packages") == 1

    @pytest.mark.row(7, at="the upstream with wrong bytes is left alone")
    async def test_one_whose_bytes_are_wrong_is_not_asked_again_for_a_while(self, named: Pair) -> None:
        named.offer("version=1")
        assert isinstance((await named.get()).broke, Mismatch)
        assert right(await named.get(), "a", SIZE)
        assert named.first.requests() == 1

    async def test_a_404_of_the_others_is_no_answer_then(self, named: Pair) -> None:
        named.offer()
        named.first.route(NAMED, headers=[("content-type", "text/html")], body=b"<html>log in")
        named.second.route(NAMED, 404)
        for _ in range(2):
            with pytest.raises(OriginError):
                await named.get()
        assert await named.nothing_is_stored()

    async def test_where_all_are_wrong_each_is_named(self, named: Pair) -> None:
        for origin in (named.first, named.second):
            origin.route(NAMED, headers=[("content-type", "text/html")], body=b"<html>log in")
        with pytest.raises(OriginError) as caught:
            await named.get()
        for origin in (named.first, named.second):
            assert origin.url().removeprefix("http://") in str(caught.value)
