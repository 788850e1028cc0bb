"""The bodies can be checked anywhere, the reader notices whatever is wrong, the clock moves when wound."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.instruments import bodies
from tests.instruments.clock import Clock, eventually
from tests.instruments.origin import Origin, origin_process
from tests.instruments.reader import Errand, Reading, fleet, mixture, read

SIZE = 100_000
WINDOW = bodies.EVERY + 8
near = st.integers(-9, 9)
multiples = st.sampled_from([1, bodies.EVERY, bodies.TILE, bodies.EVERY * bodies.TILE])
offsets = st.builds(lambda unit, times, by: max(0, unit * times + by), multiples, st.integers(0, 5000), near)
seeds = st.one_of(st.integers(), st.text(max_size=8))


@given(seeds, offsets, st.integers(0, 9000), st.integers(0, 9000))
def test_a_body_is_the_same_bytes_however_it_is_cut(seed: int | str, offset: int, first: int, second: int) -> None:
    parts = bodies.body(seed, offset, first) + bodies.body(seed, offset + first, second)
    assert bodies.body(seed, offset, first + second) == parts


@given(seeds, offsets, multiples, st.integers(1, 5000))
def test_a_body_moved_by_any_amount_is_noticed_at_once(seed: int | str, offset: int, unit: int, times: int) -> None:
    assert bodies.check(seed, offset, bodies.body(seed, offset + unit * times, WINDOW)) is not None


def test_no_part_of_the_tile_occurs_twice_in_it() -> None:
    """So each shift that is no multiple of the tile shows within 8 bytes between stamps: here for all of them."""
    tile = bodies._tile() * 2
    assert len({tile[place : place + 8] for place in range(bodies.TILE)}) == bodies.TILE


@given(st.tuples(seeds, seeds).filter(lambda pair: str(pair[0]) != str(pair[1])), offsets)
def test_the_bytes_of_another_seed_are_noticed(pair: tuple[int | str, int | str], offset: int) -> None:
    assert bodies.check(pair[0], offset, bodies.body(pair[1], offset, WINDOW)) is not None


@given(seeds, offsets, st.integers(0, WINDOW - 1), st.integers(1, 255))
def test_the_first_wrong_byte_is_named(seed: int | str, offset: int, place: int, flip: int) -> None:
    got = bytearray(bodies.body(seed, offset, WINDOW))
    assert bodies.check(seed, offset, got) is None
    got[place] ^= flip
    got[-1] ^= flip if place != WINDOW - 1 else 0
    assert bodies.check(seed, offset, memoryview(got)) == offset + place


def test_a_hole_of_zeroes_is_noticed_in_every_block() -> None:
    hole = bytes(WINDOW)
    places = range(0, 3 * bodies.TILE, bodies.EVERY)
    assert all(bodies.check("hole", place, hole) is not None for place in places)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "md5"])
def test_the_digest_is_that_of_the_body(algorithm: str) -> None:
    whole = bodies.body("d", 0, 1_500_000)
    assert bodies.digest("d", 1_500_000, algorithm) == hashlib.new(algorithm, whole).hexdigest()


def test_versions_of_an_object_differ() -> None:
    assert bodies.versioned("v", 0) == "v"
    assert bodies.check("v", 0, bodies.body(bodies.versioned("v", 1), 0, WINDOW)) is not None


def test_the_clock_moves_only_when_wound() -> None:
    clock = Clock()
    assert (clock(), clock()) == (1_800_000_000.0, 1_800_000_000.0)
    assert clock.wind(60) == clock() == 1_800_000_060.0


async def test_what_does_not_come_to_pass_is_not_waited_for_longer_than_told() -> None:
    with pytest.raises(TimeoutError):
        await eventually(lambda: False, within=0.01)


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as running:
        yield running


VERDICTS = [
    ("", None, "ok", None),
    ("chunked=1", None, "ok", None),
    ("close=1", None, "ok", None),
    ("gzip=1&etag=none", None, "ok", None),
    ("", "5-70000", "ok", None),
    ("chunked=1", "99990-", "ok", None),
    ("", "-10", "ok", None),
    ("ranges=0", "5-70000", "ok", None),
    ("cuts=50", "60000-", "ok", None),
    ("flipbyte=70000", None, "corrupt", 70000),
    ("flipbyte=70000&chunked=1", None, "corrupt", 70000),
    ("flipbyte=70000", "69000-70000", "corrupt", 70000),
    ("flipbyte=99999&close=1", None, "corrupt", 99999),
    ("version=1", None, "corrupt", 0),
    ("extra=3", None, "corrupt", SIZE),
    ("extra=3&chunked=1", None, "corrupt", SIZE),
    ("extra=3&close=1", None, "corrupt", SIZE),
    ("length=99999", None, "corrupt", None),
    ("close=1&cut=50%", None, "corrupt", None),
    ("lie206=1", "5-70000", "corrupt", 5),
    ("lie206=etag", "5-70000", "corrupt", 5),
    ("infinite=1", None, "corrupt", SIZE),
    ("length=100001", None, "truncated", None),
    ("cut=50%", None, "truncated", None),
    ("cut=50%&chunked=1", None, "truncated", None),
    ("reset=5000", None, "truncated", None),
    ("noterm=1", None, "truncated", None),
    ("stall=5000", None, "truncated", None),
    ("status=503", None, "refused", None),
    ("", "100000-", "refused", None),
]


@pytest.mark.parametrize(("query", "span", "verdict", "wrong_at"), VERDICTS)
async def test_the_reader_tells_what_is_wrong(
    origin: Origin, query: str, span: str | None, verdict: str, wrong_at: int | None
) -> None:
    leave = SIZE + 1 if query == "infinite=1" else None
    reading = await read(
        origin.url(f"/obj/s/{SIZE}?{query}"), seed="s", size=SIZE, range=span, patience=0.5, leave_after=leave
    )
    assert (reading.verdict, reading.wrong_at) == (verdict, wrong_at), reading
    assert reading.complete == (verdict == "ok")
    assert bool(reading.error) == (verdict != "ok") or reading.wrong_at is not None


async def test_the_reader_counts_the_bytes_and_the_time_to_the_first(origin: Origin) -> None:
    reading = await read(origin.url(f"/obj/s/{SIZE}?wait=0.1"), seed="s", size=SIZE)
    assert (reading.status, reading.bytes_read, reading.headers.get("content-length")) == (200, SIZE, str(SIZE))
    assert reading.first_byte is not None
    assert 0.1 <= reading.first_byte <= reading.duration


async def test_a_whole_of_another_size_is_corrupt(origin: Origin) -> None:
    assert (await read(origin.url("/obj/s/99"), seed="s", size=100)).verdict == "corrupt"
    assert (await read(origin.url("/obj/s/101"), seed="s", size=100)).wrong_at == 100


async def test_a_reader_that_leaves_takes_no_more_than_it_was_told(origin: Origin) -> None:
    reading = await read(origin.url("/obj/s/50000000"), seed="s", size=50_000_000, leave_after=123_456)
    assert (reading.verdict, reading.bytes_read) == ("left", 123_456)
    await eventually(lambda: origin.log[0].left)


async def test_a_slow_reader_is_slow_on_the_wire(origin: Origin) -> None:
    running = asyncio.create_task(read(origin.url("/obj/s/3000000"), seed="s", size=3_000_000, rate=3_000_000))
    await eventually(lambda: origin.sent() > 0)
    assert origin.sent() < 1_000_000  # the kernel's buffers; a fast reader has it all by then
    assert (await running).verdict == "ok"
    assert (await running).duration >= 0.9


async def test_nobody_listening_is_refused_and_not_raised(origin: Origin) -> None:
    origin.down()
    reading = await read(origin.url("/obj/s/10"), seed="s", size=10)
    assert (reading.verdict, reading.status) == ("refused", 0)
    assert reading.error


Respond = Callable[[bytes], Awaitable[Reading]]


@pytest.fixture
async def answered() -> AsyncIterator[Respond]:
    """Reads object `s` of 10 bytes from a server that says just the given bytes, and closes."""
    said = b""

    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def answer(text: bytes) -> Reading:
        nonlocal said
        said = text
        port = server.sockets[0].getsockname()[1]
        return await read(f"http://127.0.0.1:{port}/", seed="s", size=10, patience=5)

    async with await asyncio.start_server(say, "127.0.0.1", 0, family=socket.AF_INET) as server:
        yield answer


BODY = bodies.body("s", 0, 10)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + BODY, "ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA;x=y\r\n" + BODY + b"\r\n0\r\nX: y\r\n\r\n", "ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n" + BODY + b"\r\n0\r\n\r\n", "truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n" + BODY + b"\r\n0\r\n", "truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 10\r\n\r\nA\r\n" + BODY, "truncated"),
        (b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n" + BODY, "corrupt"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "refused"),
        (b"", "refused"),
        (b"nonsense\r\n\r\n", "refused"),
    ],
)
async def test_the_reader_reads_strictly(answered: Respond, text: bytes, verdict: str) -> None:
    assert (await answered(text)).verdict == verdict


async def test_a_fleet_follows_its_plan_and_is_summed_up(origin: Origin) -> None:
    good = Errand(origin.url(f"/obj/s/{SIZE}"), "s", SIZE)
    bad = Errand(origin.url(f"/obj/s/{SIZE}?flipbyte=9"), "s", SIZE)
    cut = Errand(origin.url(f"/obj/s/{SIZE}?cut=9"), "s", SIZE)
    tally = await fleet(7, [good, bad, cut])
    assert tally.summary()["verdicts"] == {"ok": 3, "corrupt": 2, "truncated": 2}
    assert [reading.verdict for reading in tally.readings[:3]] == ["ok", "corrupt", "truncated"]


def test_a_mixture_is_the_same_each_time() -> None:
    plan = mixture(Errand("http://upstream.test/", "s", SIZE), "whole:2,range:2,slow,leave", 60)
    assert plan == mixture(Errand("http://upstream.test/", "s", SIZE), "whole:2,range:2,slow,leave", 60)
    assert sum(errand.range is not None for errand in plan) in range(10, 30)
    assert {bool(errand.rate) for errand in plan} == {errand.leave_after is None for errand in plan} == {True, False}


async def test_a_fleet_in_a_process_of_its_own_prints_json() -> None:
    with origin_process() as origin:
        arguments = ("fleet", origin.url(f"/obj/s/{SIZE}"), "--seed", "s", "--size", str(SIZE), "--n", "12")
        command = (sys.executable, "-m", "tests.instruments.reader", *arguments, "--mix", "whole:3,range:1")
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        assert json.loads(said)["verdicts"] == {"ok": 12}
        assert origin.requests() == 12
