"""Two kinds of mirror in front of one origin: a shared cache that obeys it, and a package mirror with rules of its own.

Neither leaks into the other, whatever comes from clients and origin alike.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirror.errors import NotAllowed
from mirror.model import Headers, Mirror
from tests.conftest import Got, World, send, take

PAGE = (
    b'<!DOCTYPE html><html><body><a href="/f/six-1.0.tar.gz#sha256='
    + b"ab" * 32
    + b'">six-1.0.tar.gz</a></body></html>'
)
FIELDS = [
    ("Content-Type", "text/html"),
    ("Cache-Control", "no-cache"),
    ("ETag", '"a"'),
    ("Set-Cookie", "sid=1"),
    ("X-Own", "yes"),
]
PATH = "/simple/six/"


def mirrors(world: World) -> tuple[Mirror, Mirror]:
    """The http and the pypi mirror of the World's origin."""
    http = replace(world.mirror, name="h", client_auth=True)
    return http, Mirror("p", "pypi", (f"{world.mirror.upstreams[0]}/simple",), ttl=600.0)


@pytest.fixture(autouse=True)
def page(world: World) -> None:
    world.origin.route(PATH, 200, FIELDS, PAGE)


@pytest.fixture(params=["http", "pypi"])
def package(request: pytest.FixtureRequest, world: World) -> bool:
    """Whether the World's mirror is a package mirror now."""
    world.mirror = mirrors(world)[request.param == "pypi"]
    return bool(request.param == "pypi")


async def twice(world: World, **fields: str) -> tuple[Got, Got]:
    return await world.get(PATH, "", **fields), await world.get(PATH, "", **fields)


def fields(got: Got) -> Headers:
    return got.reply.head.headers


async def test_lifetimes_and_fields_are_the_origins_on_the_one_and_the_ecosystems_on_the_other(
    world: World, package: bool
) -> None:
    first, second = await twice(world)
    assert second.reply.outcome.hit is package
    for got in (first, second):
        assert (fields(got).get("set-cookie"), fields(got).get("x-own")) == (
            (None, None) if package else ("sid=1", "yes")
        )
        assert (got.body == PAGE) is not package  # what a package mirror rewrites has a tag of its own
        assert (fields(got).get("etag") == '"a"') is not package


async def test_a_clients_directives_are_commands_on_the_one_and_habit_on_the_other(world: World, package: bool) -> None:
    world.origin.route(PATH, 200, [*FIELDS[:1], ("Cache-Control", "max-age=600"), ("ETag", '"a"')], PAGE)
    for directive in ("no-store", "no-cache", "max-age=0"):
        await world.get(PATH, "")
        assert (await world.get(PATH, "", cache_control=directive)).reply.outcome.hit is package


async def test_credentials_and_the_clients_own_fields_reach_the_origin_of_the_one_alone(
    world: World, package: bool
) -> None:
    await world.get(PATH, "", authorization="Basic eA==", cookie="a=b", x_mine="1", accept="text/html")
    sent = Headers(world.origin.log[-1].headers)
    told = tuple(sent.get(name) for name in ("authorization", "cookie", "x-mine"))
    assert told == (("Basic eA==", "a=b", "1") if not package else (None, None, None))


async def test_the_one_changes_things_at_its_origin_and_the_other_is_read_only(world: World) -> None:
    http, pypi = mirrors(world)
    world.mirror = http
    assert (await take(await send(world, "POST", PATH, [b"x"]))).reply.head.status == 200
    world.mirror = pypi
    with pytest.raises(NotAllowed):
        await send(world, "POST", PATH, [b"x"])


async def test_what_is_stored_for_the_one_is_not_the_others(world: World) -> None:
    world.origin.route(PATH, 200, [*FIELDS[:1], ("Cache-Control", "max-age=600"), ("ETag", '"a"')], PAGE)
    http, pypi = mirrors(world)
    for world.mirror in (http, pypi):
        await world.get(PATH, "")
    world.mirror = http
    await take(await send(world, "POST", PATH, [b"x"]))  # takes what is stored below its own name
    assert not (await world.get(PATH, "")).reply.outcome.hit
    world.mirror = pypi
    assert (await world.get(PATH, "")).reply.outcome.hit
