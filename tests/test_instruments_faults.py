"""Each fault and shape of the origin really is on the wire: seen through bare sockets, not through the reader."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.instruments import bodies
from tests.instruments.clock import eventually
from tests.instruments.origin import Origin
from tests.instruments.raw import ask, dial, until

WHOLE = bodies.body("s", 0, 1000)
OBJECT = "/obj/s/1000"


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as running:
        yield running


FAULTS = [
    ("cut=300", WHOLE[:300], False),
    ("cut=50%", WHOLE[:500], False),
    ("cut=0", b"", False),
    ("reset=300", WHOLE[:300], True),
    ("length=2000", WHOLE, False),
    ("length=10", WHOLE, False),
    ("extra=4", WHOLE + b"xxxx", False),
    ("close=1", WHOLE, False),
    ("chunked=1", b"3e8\r\n" + WHOLE + b"\r\n0\r\n\r\n", False),
    ("noterm=1", b"3e8\r\n" + WHOLE + b"\r\n", False),
    ("chunked=1&cut=300", b"12c\r\n" + WHOLE[:300] + b"\r\n", False),
    ("flipbyte=7", WHOLE[:7] + bytes([WHOLE[7] ^ 255]) + WHOLE[8:], False),
    ("version=3", bodies.body("s~3", 0, 1000), False),
    ("status=404", WHOLE, False),
    ("status=204", b"", False),
    ("status=302&location=/x", b"", False),
    ("trickle=20000", WHOLE, False),
]


@pytest.mark.parametrize(("query", "body", "reset"), FAULTS)
async def test_a_fault_is_on_the_wire(origin: Origin, query: str, body: bytes, reset: bool) -> None:
    heard = await ask(origin, f"{OBJECT}?{query}")
    assert (heard.body, heard.reset) == (body, reset)
    assert origin.sent(OBJECT) == len(body.split(b"\r\n")[1] if body[3:5] == b"\r\n" else body.removesuffix(b"xxxx"))


FIELDS = [
    ("length=2000", "content-length", "2000"),
    ("chunked=1", "content-length", None),
    ("chunked=1", "transfer-encoding", "chunked"),
    ("close=1", "content-length", None),
    ("close=1", "transfer-encoding", None),
    ("gzip=1", "content-encoding", "gzip"),
    ("type=text/html;charset=utf-8", "content-type", "text/html;charset=utf-8"),
    ("cc=max-age%3D5,public", "cache-control", "max-age=5,public"),
    ("vary=Accept", "vary", "Accept"),
    ("age=7", "age", "7"),
    ("header=X-A:b&header=X-A:c:d", "x-a", "b, c:d"),
    ("status=302&location=/x", "location", "/x"),
    ("etag=none", "etag", None),
    ("lm=none", "last-modified", None),
    ("ranges=0", "accept-ranges", None),
]


@pytest.mark.parametrize(("query", "name", "value"), FIELDS)
async def test_a_shape_is_in_the_fields(origin: Origin, query: str, name: str, value: str | None) -> None:
    assert (await ask(origin, f"{OBJECT}?{query}")).headers.get(name) == value


async def test_an_option_that_there_is_not_is_refused(origin: Origin) -> None:
    for query in ("cutt=5", "etag=strange", "length=x"):
        assert (await ask(origin, f"{OBJECT}?{query}")).status == 400
    assert (await ask(origin, "/elsewhere")).status == 404


async def test_a_lying_206_lies(origin: Origin) -> None:
    late = await ask(origin, f"{OBJECT}?lie206=1", "Range: bytes=5-9")
    other = await ask(origin, f"{OBJECT}?lie206=etag", "Range: bytes=5-9")
    assert (late.status, late.headers.get("content-range"), late.body) == (206, "bytes 6-9/1000", WHOLE[6:10])
    assert (other.headers.get("etag"), other.headers.get("content-range")) == ('"lie"', "bytes 5-9/1000")
    assert bodies.check("s", 5, other.body) is not None


async def test_a_cut_of_the_object_happens_once_at_each_point(origin: Origin) -> None:
    target = f"{OBJECT}?cuts=20,50"
    bodies_heard = [(await ask(origin, target, f"Range: bytes={start}-")).body for start in (0, 200, 500, 0)]
    assert bodies_heard == [WHOLE[:200], WHOLE[200:500], WHOLE[500:], WHOLE]


async def test_faults_can_be_for_the_first_requests_only(origin: Origin) -> None:
    target = f"{OBJECT}?status=503&times=2"
    assert [(await ask(origin, target)).status for _ in range(4)] == [503, 503, 200, 200]


async def test_validators_change_as_told(origin: Origin) -> None:
    async def tags(query: str) -> list[str | None]:
        return [(await ask(origin, f"{OBJECT}?{query}")).headers.get("etag") for _ in range(4)]

    assert len(set(await tags("etag=strong"))) == 1
    assert len(set(await tags("etag=flip"))) == 4
    one, two, three, four = await tags("etag=v2:after=2")
    assert (one, three) == (two, four)
    assert one != three
    assert {str(tag)[:3] for tag in await tags("etag=weak")} == {'W/"'}


async def test_bytes_change_as_told(origin: Origin) -> None:
    later = [(await ask(origin, f"{OBJECT}?version=1:after=1")).body for _ in range(2)]
    assert later == [WHOLE, bodies.body("s~1", 0, 1000)]
    before = await ask(origin, OBJECT)
    origin.bump(OBJECT)
    after = await ask(origin, OBJECT, f"If-None-Match: {before.headers.get('etag')}")
    assert (before.body, after.body) == (WHOLE, bodies.body(bodies.versioned("s", 1), 0, 1000))
    assert before.headers.get("last-modified") != after.headers.get("last-modified")


async def test_a_stalled_body_is_silent_until_the_client_leaves(origin: Origin) -> None:
    with await dial(origin, f"{OBJECT}?stall=300") as sock:
        got, _ = await until(sock, 300)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(until(sock, len(WHOLE)), 0.2)
        assert got.endswith(WHOLE[:300])
        assert not origin.log[0].left
    await eventually(lambda: origin.log[0].left)
    assert origin.sent(OBJECT) == 300


async def test_held_bodies_go_on_when_released(origin: Origin) -> None:
    asked = [asyncio.create_task(ask(origin, f"{OBJECT}?hold=300")) for _ in range(3)]
    await eventually(lambda: origin.sent() == 900)
    assert (origin.open, origin.peak) == (3, 3)
    origin.release(OBJECT)
    assert [heard.body for heard in await asyncio.gather(*asked)] == [WHOLE] * 3
    await eventually(lambda: origin.open == 0)


async def test_a_client_that_leaves_before_the_head_is_noticed(origin: Origin) -> None:
    with await dial(origin, f"{OBJECT}?wait=60"):
        await eventually(lambda: origin.requests() == 1)
    await eventually(lambda: origin.log[0].left)
    assert (origin.sent(), origin.log[0].first_byte) == (0, None)


@pytest.mark.parametrize("query", ["rate=4000", "trickle=4000"])
async def test_a_rate_is_kept(origin: Origin, query: str) -> None:
    began = time.monotonic()
    assert (await ask(origin, f"{OBJECT}?{query}")).body == WHOLE
    assert 0.24 <= time.monotonic() - began < 2


async def test_the_head_waits_and_the_first_byte_is_timed(origin: Origin) -> None:
    assert (await ask(origin, f"{OBJECT}?wait=0.1")).body == WHOLE
    record = origin.log[0]
    assert record.first_byte is not None
    assert record.finished is not None
    assert record.at + 0.1 <= record.first_byte <= record.finished


async def test_an_infinite_body_goes_on_until_the_client_leaves(origin: Origin) -> None:
    with await dial(origin, f"{OBJECT}?infinite=1&close=1") as sock:
        got, _ = await until(sock, 3_000_000)
        body = got.partition(b"\r\n\r\n")[2]
        assert bodies.check("s", 0, body) is None
    await eventually(lambda: origin.log[0].left)


async def test_down_refuses_and_resets_and_up_accepts_on_the_same_port(origin: Origin) -> None:
    port = origin.port
    with await dial(origin, f"{OBJECT}?stall=300") as sock:
        await eventually(lambda: origin.sent() == 300)
        origin.down()
        assert (await until(sock))[1]
        with pytest.raises(ConnectionRefusedError):
            await dial(origin, OBJECT)
    origin.up()
    assert (await ask(origin, OBJECT)).body == WHOLE
    assert origin.port == port


async def test_routes_are_documents_with_faults_and_conditions(origin: Origin) -> None:
    origin.route("/simple/six/", headers=[("ETag", '"a"'), ("Content-Type", "text/html")], body=b"<a>six</a>")
    origin.route("/broken", body=b"0123456789", shape="cut=4")
    origin.route("/six.whl", target=f"{OBJECT}?ranges=0")
    heard = await ask(origin, "/simple/six/?x=1")
    assert (heard.body, heard.headers.get("content-type")) == (b"<a>six</a>", "text/html")
    assert (await ask(origin, "/simple/six/", 'If-None-Match: "a"')).status == 304
    assert (await ask(origin, "/broken")).body == b"0123"
    assert (await ask(origin, "/six.whl", "Range: bytes=0-1")).body == WHOLE


async def test_a_dropped_request_is_not_answered(origin: Origin) -> None:
    with await dial(origin, f"{OBJECT}?drop=1") as sock:
        assert await until(sock) == (b"", False)
