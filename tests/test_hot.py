"""Prepared replies: what is answered before it is parsed is what would have been answered otherwise, byte for byte."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirror.operations import Selection
from mirror.server.hot import Hot, head_of
from tests.conftest import World
from tests.instruments.both import OBJECT, Both, ask, both_of


@pytest.fixture
async def both(make_world: Callable[..., World]) -> AsyncIterator[Both]:
    async with both_of(make_world()) as opened:
        yield opened


REQUESTS = {
    "a small object": ask(OBJECT),
    "the head of it": ask(OBJECT, method="HEAD"),
    "a part of it": ask(OBJECT, "Range: bytes=5-9"),
    "no such part": ask(OBJECT, "Range: bytes=5000-"),
    "a condition that holds": ask(OBJECT, "If-None-Match: *"),
    "a condition that fails": ask(OBJECT, 'If-Match: "other"'),
    "an object that is too large to be kept": ask("/o/obj/b/200000?cc=max-age=60"),
    "an empty object": ask("/o/obj/c/0?cc=max-age=60"),
    "a packument": ask("/npm/thing"),
    "a packument, packed": ask("/npm/thing", "Accept-Encoding: gzip"),
    "a packument elsewhere": ask("/npm/thing", host="other.test"),
    "a short packument": ask("/npm/thing", "Accept: application/vnd.npm.install-v1+json"),
    "a tarball": ask("/npm/thing/-/thing-1.0.0.tgz"),
    "a page": ask("/pypi/simple/thing/", "Accept-Encoding: gzip"),
    "a page as JSON": ask("/pypi/simple/thing/", "Accept: application/vnd.pypi.simple.v1+json"),
    "a file": ask("/pypi/files/files/thing-1.zip"),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_what_is_prepared_is_what_would_be_answered(both: Both, name: str) -> None:
    request = REQUESTS[name]
    await both.heat(request)
    assert both.prepared == 1
    asked = both.world.origin.requests()
    for _ in range(70):
        await both.same(request)
        both.world.clock.wind(0.4)
    assert both.world.origin.requests() == asked


NOT_PREPARED = {
    "a client that wants to be sure": ask(OBJECT, "Cache-Control: max-age=0"),
    "credentials": ask(OBJECT, "Authorization: Basic eDp5"),
    "a cookie": ask(OBJECT, "Cookie: a=b"),
    "a last request": ask(OBJECT, "Connection: close"),
    "many parts": ask("/o/obj/a/1000?cc=no-store"),
    "many parts of a file": ask("/o/obj/b/200000?cc=max-age=60", "Range: bytes=1-2,10-19"),
    "an error": ask("/nowhere/x"),
    "another method": ask(OBJECT, method="OPTIONS"),
    "a redirect of ours": ask("/pypi/simple/Thing"),
}


@pytest.mark.parametrize("name", NOT_PREPARED)
async def test_what_may_mean_something_else_the_next_time_is_not_prepared(both: Both, name: str) -> None:
    request = NOT_PREPARED[name]
    for _ in range(4):
        reader = await both.warm.talk(request)
        assert reader[0].startswith(b"HTTP/1.1 ")
    assert both.prepared == 0


async def test_what_is_asked_for_once_is_not_kept(both: Both) -> None:
    for size in range(1, 40):
        await both.warm.talk(ask(f"/o/obj/a/{size}?cc=max-age=60"))
    assert both.prepared == 0


async def test_it_is_gone_when_it_is_no_longer_fresh(both: Both) -> None:
    await both.heat(ask(OBJECT))
    both.world.clock.wind(61)
    assert b"fwd=stale" in (await both.warm.talk(ask(OBJECT)))[0]
    assert both.prepared == 0


@pytest.mark.parametrize("soft", [True, False])
async def test_it_is_gone_with_a_purge(both: Both, soft: bool) -> None:
    requests = [ask(OBJECT), ask(OBJECT, method="HEAD"), ask(OBJECT, "Range: bytes=0-1")]
    await both.heat(*requests)
    assert both.prepared == 3
    asked = both.world.origin.requests("/obj/a/1000")
    await both.world.operations.purge(Selection(urls=(OBJECT,)), soft=soft)
    (answer,) = await both.warm.talk(requests[0])
    assert b"mirror; fwd=" in answer
    assert both.world.origin.requests("/obj/a/1000") == asked + 1


async def test_it_is_gone_with_its_bytes(both: Both) -> None:
    await both.heat(ask(OBJECT))
    entry = await both.world.index.get(OBJECT)
    assert entry is not None
    await both.world.store.delete(entry.blob)
    assert b"mirror; fwd=uri-miss" in (await both.warm.talk(ask(OBJECT)))[0]


async def test_it_is_gone_when_it_is_replaced(both: Both) -> None:
    await both.heat(ask(OBJECT))
    both.world.origin.bump("/obj/a/1000")
    (answer,) = await both.warm.talk(ask(OBJECT, "Cache-Control: no-cache"))
    (again,) = await both.warm.talk(ask(OBJECT))
    assert again.partition(b"\r\n\r\n")[2] == answer.partition(b"\r\n\r\n")[2]


async def test_it_is_gone_when_the_server_is_about_to_end(both: Both) -> None:
    await both.heat(ask(OBJECT))
    both.warm.hot.close()
    assert both.prepared == 0
    await both.heat(ask(OBJECT))
    assert both.prepared == 0


async def test_it_is_logged_as_every_request_is(both: Both, caplog: pytest.LogCaptureFixture) -> None:
    await both.heat(ask(OBJECT))
    both.proxy.close()
    with caplog.at_level(logging.INFO, "mirror.access"):
        await both.same(ask(OBJECT))
        both.proxy.close()  # writes what is gathered
    prepared, other = sorted(record.getMessage() for record in caplog.records if record.name == "mirror.access")
    assert "1000 bytes" in prepared
    without = re.compile(r"[\d.]+ ms| \S+$")  # how long it took, and the request's name
    assert without.sub("", prepared) == without.sub("", other)
    assert prepared.rpartition(" ")[2] != other.rpartition(" ")[2]


async def test_requests_in_a_row_are_answered_in_order(both: Both) -> None:
    other = ask("/o/obj/b/1000?cc=max-age=60")
    await both.heat(ask(OBJECT), other)
    answers = await both.warm.talk(ask(OBJECT), other, ask(OBJECT), ask("/o/obj/d/10"), ask(OBJECT))
    assert answers[0] == answers[2] == answers[4] != answers[1]


class Ten:
    """A reply of 10,000 bytes."""

    body: bytes | None = b"x" * 10_000


def kept(hot: Hot, names: range) -> None:
    for at in names:
        known = ("place", b"%d" % at)
        assert hot.taker(known) is None
        taker = hot.taker(known)
        assert taker is not None
        taker(Ten())  # type: ignore[arg-type]


def test_no_more_is_kept_than_the_limit() -> None:
    hot = Hot(limit=400_000)
    kept(hot, range(100))
    assert hot._size == sum(each.size for each in hot._order.values()) <= 400_000
    assert 5 < len(hot._order) == len(hot.table("place")) < 100


def test_what_was_used_stays_longer() -> None:
    hot = Hot(limit=400_000)  # room for 16 of them
    kept(hot, range(16))
    hot.table("place")[b"0"].used = True
    kept(hot, range(16, 18))
    assert b"0" in hot.table("place")
    assert not {b"1", b"2"} & hot.table("place").keys()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\nx",
    ],
)
def test_what_is_not_one_head_is_not_known_by_its_bytes(data: bytes) -> None:
    assert head_of(data) is None


steps = st.lists(
    st.sampled_from(sorted(REQUESTS))
    | st.floats(0.01, 25.0).map(lambda seconds: round(seconds, 2))
    | st.sampled_from(["purge", "soft purge", "bump"]),
    min_size=5,
    max_size=25,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_with_it_and_without_it_the_bytes_are_the_same(both: Both, steps: list[str | float]) -> None:
    """The warm listener is asked first, then the cold one, which finds what the first one left: a second hit."""
    await both.world.operations.purge(Selection(everything=True))
    both.world.clock.now = time.time()  # the origin dates by the real one
    for step in steps:
        if isinstance(step, float):
            both.world.clock.wind(step)
        elif step == "bump":
            both.world.origin.bump("/obj/a/1000")
        elif "purge" in step:
            await both.world.operations.purge(Selection(urls=(OBJECT,)), soft=step == "soft purge")
        else:
            await both.heat(REQUESTS[step])
            await both.same(REQUESTS[step])
