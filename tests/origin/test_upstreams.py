"""A dead upstream costs the first requests their time and the others nothing; a busy one is asked last."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator

import pytest

from mirror.errors import OriginError, OriginRefused, OriginResting, OriginTimeout, OriginUnreachable, Unavailable
from mirror.origin import Origin, OriginSettings
from tests.instruments.clock import Clock, eventually
from tests.instruments.ports import bound
from tests.origin.scripted import HELLO, UNREACHABLE, RawOrigin, get

DEAD = ["refused", "silent", "reset"]


def told(status: int, *fields: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} X", "Content-Length: 5", *fields, "", "error"]).encode()


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
async def second() -> AsyncIterator[RawOrigin]:
    origin = RawOrigin()
    await origin.start()
    yield origin
    await origin.stop()


async def opened(clock: Clock, **settings: float) -> Origin:
    async def sleep(_: float) -> None:
        return None

    fixed = {"retries": 4, "head_timeout": 0.5, "min_rate_window": 0.5, **settings}
    origin = Origin(OriginSettings(**fixed), sleep=sleep, clock=clock)  # type: ignore[arg-type]
    await origin.open()
    return origin


@pytest.fixture
async def origin(clock: Clock) -> AsyncIterator[Origin]:
    origin = await opened(clock)
    yield origin
    assert origin.in_use == {}
    await origin.close()


class Dead:
    """An upstream that is dead in one of three ways, and counts the attempts that get as far as it."""

    def __init__(self, raw: RawOrigin, way: str) -> None:
        self._raw, self._way = raw, way
        raw.scripts["/x"] = b""
        if way == "silent":
            raw.held.add("/x")
        if way == "reset":
            raw.reset.add("/x")
        self._port = bound(0)  # refuses until it listens
        self._server: asyncio.Server | None = None
        port = self._port.getsockname()[1] if way == "refused" else raw.port
        self.resets = way == "reset"  # the transport sends a GET twice that is cut off before the head
        self.name = f"http://127.0.0.1:{port}"
        self.url = self.name + "/x"

    def watch(self) -> None:
        """Count from now on: what refused connections listens from now on (and is silent), so that each is seen."""
        self._raw.connections = 0
        if self._way == "refused":
            self._port.listen(100)

    def attempts(self) -> int:
        if self._way != "refused":
            return self._raw.connections
        for count in itertools.count():
            try:
                self._port.accept()[0].close()
            except BlockingIOError:
                return count
        raise AssertionError

    async def recover(self) -> None:
        self._raw.scripts["/x"] = HELLO
        self._raw.held.discard("/x")
        self._raw.reset.discard("/x")
        if self._way == "refused":
            port = self._port.getsockname()[1]
            self._port.close()
            self._server = await asyncio.start_server(self._raw._accept, "127.0.0.1", port)

    def close(self) -> None:
        self._port.close()
        if self._server is not None:
            self._server.close()


@pytest.fixture(params=DEAD)
async def dead(request: pytest.FixtureRequest, raw: RawOrigin) -> AsyncIterator[Dead]:
    dead = Dead(raw, request.param)
    yield dead
    dead.close()


@pytest.mark.row(18, at="after 5 failures the second upstream is asked at once")
async def test_after_the_first_failures_the_next_is_asked_at_once(
    dead: Dead, second: RawOrigin, origin: Origin, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        assert await get(origin, dead.url, second.url + "/hello") == b"hello"
    dead.watch()
    caplog.clear()
    for _ in range(50):
        assert await get(origin, dead.url, second.url + "/hello") == b"hello"
    assert dead.attempts() == 0
    assert not caplog.records
    known = origin.health()
    assert (known[dead.name].state, known[second.url].state) == ("busy" if dead.resets else "down", "up")
    assert known[dead.name].resting == 2.0
    assert dead.name.removeprefix("http://") in known[dead.name].error


async def test_after_the_pause_there_is_one_probe_that_nobody_waits_for(
    dead: Dead, second: RawOrigin, origin: Origin, clock: Clock
) -> None:
    for _ in range(5):
        await get(origin, dead.url, second.url + "/hello")
    dead.watch()
    clock.wind(2.0)
    origin.prepare(OriginSettings(head_timeout=3.0))()
    started = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(get(origin, dead.url, second.url + "/hello") for _ in range(20)))
    assert answers == [b"hello"] * 20
    assert asyncio.get_running_loop().time() - started < 3.0  # what a silent one is waited for
    await eventually(lambda: origin.health()[dead.name].resting == 4.0 and not origin.in_use)
    assert dead.attempts() == (2 if dead.resets else 1)


async def test_recovery_is_noticed(
    dead: Dead, second: RawOrigin, origin: Origin, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        await get(origin, dead.url, second.url + "/hello")
    await dead.recover()
    clock.wind(2.0)
    asked = len(second.asked)
    assert await get(origin, dead.url, second.url + "/hello") == b"hello"
    await eventually(lambda: origin.health()[dead.name].state == "up" and not origin.in_use)
    assert await get(origin, dead.url, second.url + "/hello") == b"hello"
    assert len(second.asked) == asked + 1
    assert [record.getMessage().split(" ")[1] for record in caplog.records] == [
        "is" if dead.resets else "cannot",
        "answers",
    ]


async def test_a_dead_one_that_has_no_other_is_probed_by_who_asks(raw: RawOrigin, origin: Origin, clock: Clock) -> None:
    with pytest.raises(OriginUnreachable) as caught:
        await origin.fetch([UNREACHABLE])
    assert caught.value.retry_after == 2.0
    clock.wind(0.5)
    with pytest.raises(
        OriginResting, match=r"127\.0\.0\.1:1 cannot be reached .*; it is asked again in 2 s"
    ) as resting:
        await origin.fetch([UNREACHABLE])
    assert resting.value.retry_after == 1.5
    clock.wind(1.5)
    with pytest.raises(OriginUnreachable):
        await origin.fetch([UNREACHABLE])


async def test_one_with_something_stored_does_not_wait_for_a_probe(
    raw: RawOrigin, origin: Origin, clock: Clock
) -> None:
    raw.scripts["/x"] = b""
    raw.held.add("/x")
    for _ in range(5):
        with pytest.raises(OriginTimeout):
            await origin.fetch([raw.url + "/x"])
    clock.wind(2.0)
    raw.scripts["/x"], raw.held = HELLO, set()
    with pytest.raises(OriginResting):
        await origin.fetch([raw.url + "/x"], instead=True)
    await eventually(lambda: origin.health()[raw.url].state == "up" and not origin.in_use)
    assert await get(origin, raw.url + "/x", instead=True) == b"hello"


async def test_a_probe_that_nobody_waits_for_does_not_outlive_the_client(
    raw: RawOrigin, second: RawOrigin, clock: Clock
) -> None:
    raw.scripts["/x"], raw.held = b"", {"/x"}
    origin = await opened(clock, head_timeout=60.0)
    for _ in range(5):
        origin._upstreams.of(raw.url).breaker.failed(0, "refused")
    clock.wind(2.0)
    assert await get(origin, raw.url + "/x", second.url + "/hello") == b"hello"
    await raw.until(lambda: raw.open == 1)
    await origin.close()
    assert origin.in_use == {}
    await raw.until(lambda: raw.open == 0)


async def test_a_redirect_that_leads_to_a_dead_host_is_not_the_upstreams_fault(
    raw: RawOrigin, second: RawOrigin, origin: Origin
) -> None:
    second.scripts["/silent"], second.held = b"", {"/silent"}
    for target in (UNREACHABLE, second.url + "/silent"):
        raw.scripts["/x"] = f"HTTP/1.1 302 F\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        for _ in range(6):
            with pytest.raises(OriginError):
                await origin.fetch([raw.url + "/x"])
    assert await get(origin, raw.url + "/hello") == b"hello"
    assert origin.health()[raw.url].state == "up"


class TestBusy:
    @pytest.mark.parametrize("code", [502, 503, 504])
    async def test_a_gateway_that_fails_for_all_is_asked_last_after_five(
        self, raw: RawOrigin, second: RawOrigin, origin: Origin, clock: Clock, code: int
    ) -> None:
        raw.scripts["/x"] = told(code)
        for _ in range(20):
            assert await get(origin, raw.url + "/x", second.url + "/hello") == b"hello"
        assert len(raw.asked) == 5
        clock.wind(2.0)
        raw.scripts["/x"] = HELLO
        assert await get(origin, raw.url + "/x", second.url + "/hello") == b"hello"
        await eventually(lambda: origin.health()[raw.url].state == "up" and not origin.in_use)

    @pytest.mark.parametrize("code", [429, 500])
    async def test_what_may_be_of_one_page_alone_does_not_count(
        self, raw: RawOrigin, second: RawOrigin, origin: Origin, code: int
    ) -> None:
        raw.scripts["/x"] = told(code)
        for _ in range(10):
            await get(origin, raw.url + "/x", second.url + "/hello")
        assert len(raw.asked) == 10

    @pytest.mark.parametrize("code", [429, 503])
    @pytest.mark.parametrize(
        ("asked", "rest"), [("30", 30.0), ("7200", 120.0), ("Fri, 31 Dec 2100 00:00:00 GMT", 120.0)]
    )
    async def test_retry_after_is_heeded_at_once(
        self, raw: RawOrigin, second: RawOrigin, origin: Origin, clock: Clock, code: int, asked: str, rest: float
    ) -> None:
        raw.scripts["/x"] = told(code, f"Retry-After: {asked}")
        for _ in range(10):
            assert await get(origin, raw.url + "/x", second.url + "/hello") == b"hello"
        assert len(raw.asked) == 1
        assert (origin.health()[raw.url].state, origin.health()[raw.url].resting) == ("busy", rest)
        with pytest.raises(OriginResting):
            await origin.fetch([raw.url + "/x"], instead=True)
        assert len(raw.asked) == 1
        assert await get(origin, raw.url + "/hello") == b"hello"  # who has nothing else asks all the same
        clock.wind(rest - 0.1)
        await get(origin, raw.url + "/x", second.url + "/hello")
        assert len(raw.asked) == 2

    async def test_it_is_asked_after_all_where_the_others_do_no_better(
        self, raw: RawOrigin, second: RawOrigin, origin: Origin
    ) -> None:
        raw.scripts["/x"] = told(503, "Retry-After: 60")
        second.scripts |= {"/x": told(404), "/y": told(500)}
        await get(origin, raw.url + "/x", second.url + "/hello")
        assert await get(origin, raw.url + "/hello", second.url + "/x") == b"hello"  # what is missing there may be here
        assert await get(origin, raw.url + "/hello", second.url + "/y") == b"hello"
        raw.scripts["/gone"] = told(404)
        answer = await origin.fetch([raw.url + "/gone", second.url + "/x"])
        assert (answer.head.status, answer.url) == (404, raw.url + "/gone")  # now it is known
        await answer.aclose()


class TestAllFail:
    async def test_each_is_named_with_its_reason(self, raw: RawOrigin, origin: Origin) -> None:
        raw.scripts["/x"], raw.held = b"", {"/x"}
        query = "?sig=canary"
        with pytest.raises(OriginRefused) as caught:
            await origin.fetch([UNREACHABLE + query, raw.url.replace("//", "//u:canary@") + "/x" + query])
        assert f"127.0.0.1:{raw.port} gave no answer within 0.5 seconds" in str(caught.value)
        assert "127.0.0.1:1 cannot be reached" in str(caught.value)
        assert "canary" not in str(caught.value)
        assert caught.value.retry_after == 0.0  # the second may be asked now
        assert all("canary" not in each.error for each in origin.health().values())

    async def test_too_many_that_wait_for_one_go_to_the_next(self, raw: RawOrigin, clock: Clock) -> None:
        origin = await opened(clock, max_connections=1, max_waiting=0)
        second = RawOrigin()
        await second.start()
        first = await origin.fetch([raw.url + "/hello"])
        with pytest.raises(Unavailable):
            await origin.fetch([raw.url + "/hello"])
        assert await get(origin, raw.url + "/hello", second.url + "/hello") == b"hello"
        await first.aclose()
        await origin.close()
        await second.stop()


class TestStorm:
    @pytest.mark.row(18, at="100 clients of a dead upstream make at most 15 attempts, 210 where it resets")
    @pytest.mark.parametrize("way", ["silent", "reset"])
    async def test_a_hundred_clients_of_a_dead_upstream_make_few_attempts(
        self, raw: RawOrigin, clock: Clock, way: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Seen red: a dead upstream is asked by everybody, again and again."""
        caplog.set_level(logging.WARNING)
        origin = await opened(clock, max_connections=10)
        dead = Dead(raw, way)

        async def client(number: int) -> None:
            with pytest.raises(OriginError):
                await origin.fetch([f"{dead.url}?key={number}"])

        await asyncio.gather(*map(client, range(100)))
        once = 100 if dead.resets else 10  # who cannot be reached is found dead by as many as there are connections
        assert 5 <= raw.connections <= (2 if dead.resets else 1) * (once + 5)
        assert origin.health()[dead.name].resting == 2.0
        assert len(caplog.records) == 1
        await origin.close()
        dead.close()
