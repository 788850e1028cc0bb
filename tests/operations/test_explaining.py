"""Explain says what the engine then does, in every state that an entry can be in; it asks nobody, changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirror.errors import MirrorError, RequestError
from mirror.headers import Headers
from mirror.httpcache.freshness import reckoned, ttl
from mirror.model import Entry, Head, Mirror, Rule
from mirror.operations import Operations, Selection
from mirror.operations.asking import Asking
from mirror.operations.explaining import Explained
from mirror.operations.reasons import arithmetic
from mirror.reach import Reach
from tests.conftest import World, take
from tests.instruments.both import documents
from tests.instruments.clock import eventually
from tests.instruments.suite import PACKAGES, SUITE, Archive

MINUTE = "/o/obj/a/1000?cc=max-age=60"
SAID = {
    "hit": ({"HIT"}, {""}),
    "stale hit": ({"STALE"}, {""}),
    "revalidate": ({"REVALIDATED", "MISS"}, {"stale"}),
    "miss": ({"MISS"}, {"uri-miss", "vary-miss", "miss"}),
    "pass": ({"BYPASS"}, {"bypass", "method", "request"}),
    "redirect": ({"MISS"}, {""}),
    "local": ({"MISS"}, {""}),
    "error": ({"ERROR"}, {""}),
}
"""What X-Cache and the fwd of Cache-Status are then."""


@dataclass
class House:
    """A world with a mirror of each kind; `mirrors` may be changed by a test before it asks."""

    world: World
    mirrors: dict[str, Mirror] = field(default_factory=dict)

    def __post_init__(self) -> None:
        url = self.world.origin.url("").rstrip("/")
        reach = Reach(("127.0.0.1:*",))
        kinds = (
            Mirror("o", "http", (url,), grace=0.0, keep=0.0),
            Mirror("kept", "http", (url,), keep=86400.0),
            Mirror("npm", "npm", (f"{url}/npm",), ttl=300.0, grace=600.0),
            Mirror("pypi", "pypi", (f"{url}/simple",), ttl=600.0, grace=600.0),
            Mirror("get", "any", reach=reach),
        )
        self.mirrors = {mirror.name: mirror for mirror in kinds}
        documents(self.world.origin)

    def change(self, name: str, **changes: object) -> None:
        self.mirrors[name] = replace(self.mirrors[name], **changes)  # type: ignore[arg-type]

    @property
    def operations(self) -> Operations:
        world, mirrors = self.world, tuple(self.mirrors.values())
        return Operations(world.store, world.index, world.fills, mirrors, around=world.around)

    async def explain(self, url: str) -> Explained:
        """Without anything having been asked or changed by it."""
        before, stored, files = len(self.world.origin.log), dict(self.world.index._entries), self.world.blobs()
        found = await self.operations.explain(url)
        assert len(self.world.origin.log) == before
        assert dict(self.world.index._entries) == stored
        assert self.world.blobs() == files
        return found

    async def ask(self, url: str) -> tuple[str, str]:
        """X-Cache and fwd of what a client then gets."""
        mirror, request = Asking(tuple(self.mirrors.values()), self.world.clock).request(url)
        try:
            reply = await self.world.engine.answer(mirror, request)
        except MirrorError:
            return "ERROR", ""
        got = await take(reply)
        assert got.broke is None
        await self.world.settled()
        return reply.outcome.x_cache, reply.outcome.fwd

    async def same(self, url: str) -> Explained:
        """What is explained, which must be what is done."""
        found = await self.explain(url)
        x_cache, fwd = await self.ask(url)
        words, forwards = SAID[found.decision]
        assert (x_cache in words, fwd in forwards) == (True, True), (found.decision, found.reason, x_cache, fwd)
        return found


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with World(tmp_path / "cache").open() as world:
        yield House(world)


Setting = Callable[[House], Awaitable[None]]


def got(*urls: str, wind: float = 0.0) -> Setting:
    """These were asked for, and so much time has passed."""

    async def setting(house: House) -> None:
        for url in urls:
            await house.ask(url)
        house.world.clock.wind(wind)

    return setting


def purged(*urls: str, soft: bool = True) -> Setting:
    async def setting(house: House) -> None:
        await got(*urls, wind=10)(house)
        await house.operations.purge(Selection(urls), soft=soft)
        house.world.clock.wind(1)

    return setting


def lost(url: str) -> Setting:
    """It was stored, and the file of its body is gone."""

    async def setting(house: House) -> None:
        await got(url)(house)
        house.world.store._handles.close()
        for path in house.world.blobs():
            path.unlink()

    return setting


def changed(name: str, setting: Setting, **changes: object) -> Setting:
    async def both(house: House) -> None:
        await setting(house)
        house.change(name, **changes)

    return both


def elsewhere(setting: Setting) -> Setting:
    """The upstream has another name now."""

    async def both(house: House) -> None:
        await setting(house)
        house.change("o", upstreams=(house.mirrors["o"].upstreams[0].replace("127.0.0.1", "localhost"),))

    return both


SIX, TARBALL, PACK = "/pypi/simple/thing/", "/npm/thing/-/thing-1.0.0.tgz", "/npm/thing"
WHEEL = "/pypi/files/files/thing-1.zip"

STATES: dict[str, tuple[Setting, str, str]] = {
    "nothing is stored": (got(), MINUTE, "miss"),
    "fresh": (got(MINUTE, wind=59), MINUTE, "hit"),
    "stale": (got(MINUTE, wind=61), MINUTE, "revalidate"),
    "within stale-while-revalidate": (
        got("/o/obj/a/1000?cc=max-age=60,stale-while-revalidate=30", wind=80),
        "/o/obj/a/1000?cc=max-age=60,stale-while-revalidate=30",
        "stale hit",
    ),
    "beyond stale-while-revalidate": (
        got("/o/obj/a/1000?cc=max-age=60,stale-while-revalidate=30", wind=95),
        "/o/obj/a/1000?cc=max-age=60,stale-while-revalidate=30",
        "revalidate",
    ),
    "no-cache": (got("/o/obj/a/1000?cc=no-cache"), "/o/obj/a/1000?cc=no-cache", "revalidate"),
    "no-store": (got("/o/obj/a/1000?cc=no-store"), "/o/obj/a/1000?cc=no-store", "miss"),
    "private": (got("/o/obj/a/1000?cc=private,max-age=60"), "/o/obj/a/1000?cc=private,max-age=60", "miss"),
    "heuristically fresh": (got("/o/obj/a/1000", wind=3600), "/o/obj/a/1000", "hit"),
    "Vary: *": (
        got("/o/obj/a/1000?cc=max-age=60&vary=*"),
        "/o/obj/a/1000?cc=max-age=60&vary=*",
        "miss",
    ),
    "negative and fresh": (
        got("/o/obj/a/1000?cc=max-age=60&status=404", wind=30),
        "/o/obj/a/1000?cc=max-age=60&status=404",
        "hit",
    ),
    "negative and stale": (
        got("/o/obj/a/1000?cc=max-age=60&status=404", wind=90),
        "/o/obj/a/1000?cc=max-age=60&status=404",
        "revalidate",
    ),
    "made to expire": (purged(MINUTE), MINUTE, "revalidate"),
    "purged": (purged(MINUTE, soft=False), MINUTE, "miss"),
    "its bytes are gone": (lost(MINUTE), MINUTE, "miss"),
    "bytes gone, stale": (
        lost("/o/obj/a/1000?cc=max-age=1"),
        "/o/obj/a/1000?cc=max-age=1",
        "miss",
    ),
    "offline and fresh": (changed("o", got(MINUTE), offline=True), MINUTE, "hit"),
    "offline and stale": (changed("o", got(MINUTE, wind=90), offline=True), MINUTE, "hit"),
    "offline within stale-while-revalidate": (
        changed("o", got("/o/obj/a/1000?cc=max-age=60,stale-while-revalidate=90", wind=80), offline=True),
        "/o/obj/a/1000?cc=max-age=60,stale-while-revalidate=90",
        "stale hit",
    ),
    "offline and nothing": (changed("o", got(), offline=True), MINUTE, "error"),
    "offline and its bytes are gone": (changed("o", lost(MINUTE), offline=True), MINUTE, "error"),
    "unavailable": (changed("o", got(MINUTE), unavailable="no client is set up here"), MINUTE, "error"),
    "another upstream than it came from": (
        elsewhere(got(MINUTE)),
        MINUTE,
        "miss",
    ),
    "a rule of the mirror's": (changed("kept", got("/kept/obj/b/10?cc=no-store"), ttl=60.0), "/kept/obj/b/10", "miss"),
    "a page": (got(SIX, wind=599), SIX, "hit"),
    "a page within grace": (got(SIX, wind=700), SIX, "stale hit"),
    "a page beyond grace": (got(SIX, wind=1300), SIX, "revalidate"),
    "a page that is not there": (got("/pypi/simple/none/", wind=5), "/pypi/simple/none/", "hit"),
    "a page that was not there a while ago": (
        got("/pypi/simple/none/", wind=100),
        "/pypi/simple/none/",
        "revalidate",
    ),
    "a page under another name": (got(), "/pypi/simple/Thing", "redirect"),
    "no name": (got(), "/pypi/simple/-/", "error"),
    "nothing of the kind": (got(), "/pypi/elsewhere", "error"),
    "a file whose page is not known": (got(), WHEEL, "miss"),
    "a file whose page is known": (got(SIX), WHEEL, "miss"),
    "a file": (got(WHEEL, wind=10**7), WHEEL, "hit"),
    "a file that was made to expire": (purged(WHEEL), WHEEL, "hit"),  # the page says that these bytes are right
    "a file offline": (changed("pypi", got(WHEEL), offline=True), WHEEL, "hit"),
    "a file offline, not stored": (changed("pypi", got(SIX), offline=True), WHEEL, "error"),
    "a packument": (got(PACK, wind=100), PACK, "hit"),
    "a packument within grace": (got(PACK, wind=400), PACK, "stale hit"),
    "a packument made to expire": (purged(PACK), PACK, "revalidate"),
    "a tarball": (got(TARBALL), TARBALL, "hit"),
    "a tarball that is not stored": (got(PACK), TARBALL, "miss"),
    "a tarball whose packument is stale": (got(TARBALL, wind=10**6), TARBALL, "hit"),
    "a host that is not allowed": (got(), "/get/https/example.com/x", "error"),
}


@pytest.mark.parametrize("name", STATES)
async def test_what_is_explained_is_what_is_done(house: House, name: str) -> None:
    setting, url, expected = STATES[name]
    await setting(house)
    found = await house.same(url)
    assert found.decision == expected, found.reason
    assert found.reason


async def test_a_running_download_is_told(house: House) -> None:
    url = "/o/obj/a/3000000?cc=max-age=60&hold=50%25&times=1"
    first = asyncio.create_task(house.ask(url))
    await eventually(lambda: house.world.origin.sent("/obj/a/3000000") >= 1_500_000)
    found = await house.explain(url)
    assert (found.decision, "joins" in found.reason) == ("miss", True)
    assert found.fill is not None
    assert (found.fill.total, found.fill.readers) == (3_000_000, 1)
    world = house.world
    world.origin.release("/obj/a/3000000")
    await first


async def test_answers_that_nobody_may_share_are_told(house: House) -> None:
    url = "/o/obj/a/1000?cc=private,max-age=60"
    await house.ask(url)
    assert "one client each" in (await house.same(url)).reason


async def test_it_says_which_index_is_asked_first(house: House) -> None:
    found = await house.explain(WHEEL)
    assert (found.kind, found.learns, found.upstreams, found.digest) == ("file", (SIX,), (), None)
    assert SIX in found.reason
    await house.ask(SIX)
    found = await house.same(WHEEL)
    assert (found.learns, found.upstreams) == ((), (house.world.origin.url("/files/thing-1.zip"),))
    assert (found.digest or "").startswith("sha256:")


async def test_upstreams_urls_are_understood(house: House) -> None:
    assert (await house.explain(house.world.origin.url("/simple/thing/"))).url == SIX
    assert (await house.explain(house.world.origin.url("/npm/thing"))).key == f"{PACK} abbrev"
    with pytest.raises(RequestError, match="neither below a mirror"):
        await house.explain("https://example.com/x")
    with pytest.raises(RequestError, match="/nowhere/"):
        await house.explain("/nowhere/x")


async def test_an_upstream_that_rests_is_told_with_what_follows(house: House) -> None:
    await house.ask("/kept/obj/a/1000?cc=max-age=60")
    house.world.clock.wind(90)
    house.world.origin.down()
    for n in range(5):
        await house.ask(f"/kept/obj/{n}/10")
    kept = await house.explain("/kept/obj/a/1000?cc=max-age=60")
    assert (kept.decision, "stale-if-error" in kept.reason) == ("revalidate", True)
    assert [known.state for known in kept.upstream_states] == ["down"]
    assert await house.ask("/kept/obj/a/1000?cc=max-age=60") == ("STALE", "")
    none = await house.explain(MINUTE)
    assert "the answer is an error" in none.reason
    assert await house.ask(MINUTE) == ("ERROR", "")


async def test_no_credentials_are_told(house: House) -> None:
    url, origin = "/o/moved", house.world.origin
    origin.route("/moved", 302, [("Location", "https://u:pw@files.test/a?sig=hidden"), ("Cache-Control", "max-age=60")])
    authority = origin.url("").rstrip("/").removeprefix("http://")
    house.change("o", auth=("authorization", "Bearer hidden"), upstreams=(f"http://user:hidden@{authority}",))
    await house.ask(url)
    found = await house.explain(url)
    assert found.stored is not None
    assert found.stored.headers["location"] == "https://files.test/a?..."
    told = (
        str(replace(found, mirror=Mirror("o", "http"), stored=None))
        + str(found.stored.headers)
        + str(found.stored.listed)
    )
    assert "hidden" not in told
    assert "pw" not in told


async def test_releases_and_their_indexes(tmp_path: Path) -> None:
    async with World(tmp_path / "cache", ecosystem="apt").open() as world:
        world.mirror = replace(world.mirror, ttl=10.0, grace=86400.0, keep=86400.0)
        archive, house = Archive(world), House(world)
        house.mirrors = {"o": world.mirror}
        release, index = f"/o/{SUITE.strip('/')}/InRelease", f"/o/{PACKAGES.strip('/')}"
        found = await house.explain(index)
        assert (found.decision, found.kind) == ("miss", "index")
        assert release in found.learns
        assert (await house.same(release)).decision == "miss"
        found = await house.same(index)
        assert (found.decision, found.learns) == ("miss", ())
        assert "by-hash" in found.key
        assert (await house.same(index)).decision == "hit"
        archive.publish(indexes=False)
        world.clock.wind(11)
        assert (await house.explain(release)).decision == "stale hit"
        await house.ask(release)
        await world.settled()
        world.clock.wind(1)
        found = await house.same(release)  # the new one was refused
        assert (found.decision, "refused" in found.reason, found.kind) == ("stale hit", True, "release")


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "cache-control": st.sampled_from(["max-age=60", "s-maxage=5, max-age=9", "no-cache", "public", "x"]),
        "expires": st.sampled_from(["0", "Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"]),
        "last-modified": st.just("Thu, 01 Jan 2026 00:00:00 GMT"),
        "age": st.sampled_from(["0", "30", "x"]),
        "date": st.just("Fri, 15 Jan 2027 08:00:00 GMT"),
    },
)


@settings(suppress_health_check=[HealthCheck.differing_executors])
@given(
    fields=FIELDS,
    status=st.sampled_from([200, 404, 301, 302, 500]),
    ttl_of_rule=st.sampled_from([None, 0.0, 60.0, float("inf")]),
    passed=st.floats(0, 1e6),
    expired=st.booleans(),
)
def test_the_arithmetic_is_that_of_the_rules(
    fields: dict[str, str], status: int, ttl_of_rule: float | None, passed: float, expired: bool
) -> None:
    at = 1_800_000_000.0
    head = Head(status, Headers.of(fields), -at if expired else at - 1, at)
    entry, rule = Entry("/o/a", "http://upstream.test/a", head, Headers(), "b", 1, "d"), Rule(ttl=ttl_of_rule)
    found = reckoned(entry, rule, at + passed)
    assert found.ttl == ttl(entry, rule, at + passed)
    if not expired and found.lifetime != float("inf"):
        assert found.lifetime - found.age == pytest.approx(found.ttl)
    assert (found.source in ("rule", "immutable")) == (ttl_of_rule is not None and status != 404)
    assert arithmetic(found)
