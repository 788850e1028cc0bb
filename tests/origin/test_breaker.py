"""An upstream that cannot be reached costs the first requests their time, and the others nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mirror.breaker import Breaker
from mirror.errors import OriginResting, OriginTimeout, OriginUnreachable
from mirror.origin import Origin, OriginSettings
from tests.instruments.clock import Clock
from tests.origin.scripted import HELLO, UNREACHABLE, RawOrigin, get


class TestTheBreaker:
    def test_five_failures_in_a_row_and_it_rests_longer_each_time(self) -> None:
        clock = Clock(1000.0)
        breaker = Breaker("http://upstream.test", clock)
        for _ in range(4):
            breaker.failed()
        assert breaker.admits()
        breaker.failed()
        for rest in (2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
            assert (breaker.admits(), breaker.resting) == (False, rest)
            clock.wind(rest)
            assert breaker.admits()
            assert not breaker.admits()  # one for each rest
            breaker.failed()

    def test_an_answer_ends_the_rest_and_the_count(self) -> None:
        clock = Clock(1000.0)
        breaker = Breaker("http://upstream.test", clock)
        for _ in range(5):
            breaker.failed()
        breaker.answered()
        assert breaker.admits()
        assert breaker.idle
        for _ in range(4):
            breaker.failed()
        assert breaker.admits()


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
async def origin(clock: Clock) -> AsyncIterator[Origin]:
    async def sleep(_: float) -> None:
        return None

    origin = Origin(OriginSettings(retries=4, head_timeout=0.2, min_rate_window=0.2), sleep=sleep, clock=clock)
    await origin.open()
    yield origin
    assert origin.in_use == {}
    await origin.close()


async def test_a_dead_upstream_is_passed_over_and_the_next_one_asked(
    raw: RawOrigin, origin: Origin, clock: Clock
) -> None:
    with pytest.raises(OriginUnreachable):
        await origin.fetch([UNREACHABLE])
    with pytest.raises(OriginResting, match=r"127\.0\.0\.1:1 could not be reached lately; it is asked again in 2 s"):
        await origin.fetch([UNREACHABLE])
    assert await get(origin, UNREACHABLE, raw.url + "/hello") == b"hello"
    clock.wind(2.0)
    with pytest.raises(OriginUnreachable):
        await origin.fetch([UNREACHABLE])


async def test_a_silent_upstream_counts_as_dead_and_its_first_answer_ends_that(
    raw: RawOrigin, origin: Origin, clock: Clock
) -> None:
    raw.scripts["/x"] = b""
    raw.held.add("/x")
    for _ in range(5):
        with pytest.raises(OriginTimeout):
            await origin.fetch([raw.url + "/x"])
    with pytest.raises(OriginResting):
        await origin.fetch([raw.url + "/hello"])
    clock.wind(2.0)
    for _ in range(2):
        assert await get(origin, raw.url + "/hello") == b"hello"


async def test_what_an_upstream_answers_is_no_failure(raw: RawOrigin, origin: Origin) -> None:
    raw.scripts["/x"] = HELLO.replace(b"200 OK", b"503 Busy")
    for _ in range(6):
        assert await get(origin, raw.url + "/x") == b"hello"


async def test_a_redirect_that_leads_to_a_dead_host_is_not_the_upstreams_fault(raw: RawOrigin, origin: Origin) -> None:
    raw.scripts["/x"] = f"HTTP/1.1 302 F\r\nLocation: {UNREACHABLE}\r\nContent-Length: 0\r\n\r\n".encode()
    for _ in range(3):
        with pytest.raises(Exception, match="cannot be reached"):
            await origin.fetch([raw.url + "/x"])
    assert await get(origin, raw.url + "/hello") == b"hello"
