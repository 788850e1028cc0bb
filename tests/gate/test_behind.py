"""What caches behind this server are told of an artifact that is not given for ever."""

from __future__ import annotations

import pytest

from mirror.httpcache.fields import format_date
from mirror.model import Headers, Request
from mirror.web.shapes import shape
from tests.conftest import take
from tests.instruments.gated import DAY, WEEK, House
from tests.policy.builders import exemption

pytestmark = pytest.mark.row(51)

FOR_EVER = ("public, max-age=31536000, immutable", None)


async def told(house: House, version: str = "1.17.0", **fields: str) -> tuple[str | None, str | None]:
    """Cache-Control and Expires."""
    reply = await house.world.ask(house.file(version), "", **fields)
    await take(reply)
    pairs = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    headers = shape(reply, Request("GET", house.file(version), headers=Headers(pairs)), house.world.clock()).headers
    return headers.get("cache-control"), headers.get("expires")


async def test_an_exempted_artifact_is_fresh_until_its_exemption_ends(house: House) -> None:
    """PROTOCOLS G.1."""
    until = house.world.clock() + DAY
    house.become(min_age=WEEK, exempt=(exemption("six", until=until),))
    for fields in ({}, {}, {"range": "bytes=0-9"}, {"if_none_match": "*"}):  # fetched, stored, a part, a 304
        assert await told(house, **fields) == ("public", format_date(until))
    house.world.clock.wind(DAY / 2)
    assert await told(house) == ("public", format_date(until))


async def test_where_it_is_old_enough_by_then_it_is_given_for_ever(house: House) -> None:
    house.become(min_age=WEEK, exempt=(exemption("six", until=house.world.clock() + 6 * DAY),))
    assert await told(house) == FOR_EVER
    assert await told(house, "1.16.0") == FOR_EVER


async def test_what_is_stored_says_so_no_more_than_the_policy_does(house: House) -> None:
    house.become(min_age=WEEK, exempt=(exemption("six", until=house.world.clock() + DAY),))
    await told(house)
    house.become(min_age=DAY)
    assert await told(house) == FOR_EVER


async def test_an_audit_bounds_nothing(house: House) -> None:
    house.become(min_age=WEEK, mode="audit", exempt=(exemption("six", until=house.world.clock() + DAY),))
    assert await told(house) == FOR_EVER


async def test_what_replaces_stored_bytes_that_are_lost_is_bounded_too(house: House) -> None:
    until = house.world.clock() + DAY
    house.become(min_age=WEEK, exempt=(exemption("six", until=until),))
    await told(house)
    reply = await house.world.ask(house.file("1.17.0"), "")
    await reply.source.close()
    assert reply.again is not None
    other = await reply.again(False)
    assert other is not None
    await take(other)
    assert other.head.headers.get("expires") == format_date(until)
