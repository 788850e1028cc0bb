"""Ranges cost no more than the object: of any number of them, overlapping, in any digits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.test_edge import asking, hear, parts
from tests.instruments import bodies
from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.server import Served, http_mirror, served

SIZE = 1_000_000
OBJECT = f"/obj/a/{SIZE}?cc=max-age=86400"
REPEATED = 40

RANGES = {
    "1,000 ranges": "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 2000, 2)),
    "1,000 times the same": "bytes=" + ",".join(["0-"] * 1000),
    "overlapping": "bytes=" + ",".join(f"{at}-" for at in range(90)),
    "overlapping from the end": "bytes=" + ",".join(f"-{at + 1}" for at in range(90)),
    "backwards": "bytes=" + ",".join(f"{at}-{at}" for at in range(90, 0, -1)),
    "commas": "bytes=" + "," * 4000,
    "spaces": "bytes=" + " " * 4000 + "0-0",
    "unicode digits": "bytes=\xb2-\xb3",
    "arabic digits": "bytes=\u0660-\u0669".encode().decode("latin-1"),
    "underscores": "bytes=1_0-2_0",
    "a sign": "bytes=+0-+5",
    "a negative": "bytes=--1",
    "an overflow": "bytes=0-" + "9" * 4000,
    "a start that overflows": "bytes=" + "9" * 4000 + "-",
    "int64": "bytes=9223372036854775807-9223372036854775808",
    "nginx's overflow": "bytes=-9223372036854775608,-17208",
    "nothing": "bytes=-",
    "the last of none": "bytes=-0",
    "another unit": "lines=0-5",
    "hex": "bytes=0x0-0xff",
    "a float": "bytes=0.0-1e3",
    "a NUL": "bytes=0-1;2",
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Abroad]]:
    with origin_process() as origin, served(tmp_path_factory.mktemp("ranges"), http_mirror(origin.url())) as server:
        hear(server, asking(f"/o{OBJECT}"))
        yield server, origin
        assert "Traceback" not in server.log()


def bits(name: str) -> str:
    return f"Range: {RANGES[name]}"


@pytest.mark.row(46)
@pytest.mark.parametrize("name", RANGES)
def test_no_range_is_answered_with_more_than_the_object(both: tuple[Served, Abroad], name: str) -> None:
    """What frames parts comes on top, for eight parts at most. What is sent is of the object, where it says.

    Seen red: any number of ranges that overlap is answered.
    """
    status, fields, body = parts(hear(both[0], asking(f"/o{OBJECT}", bits(name)))[0])
    assert status in (200, 206, 416)
    assert len(body) <= SIZE + 8 * 200
    whole = bodies.body("a", 0, SIZE)
    if status == 200:
        assert body == whole
    elif status == 206 and "multipart" not in fields["content-type"]:
        first, last = fields["content-range"].removeprefix("bytes ").partition("/")[0].split("-")
        assert body == whole[int(first) : int(last) + 1]


@pytest.mark.row(46)
def test_what_is_no_range_is_ignored(both: tuple[Served, Abroad]) -> None:
    """Seen red: numbers are read as Python reads them: signs, underscores."""
    for name in (
        "unicode digits",
        "arabic digits",
        "underscores",
        "a sign",
        "a negative",
        "hex",
        "a float",
        "another unit",
    ):
        assert parts(hear(both[0], asking(f"/o{OBJECT}", bits(name)))[0])[0] == 200, name


@pytest.mark.row(46)
@pytest.mark.parametrize("name", ["1,000 ranges", "overlapping", "commas", "spaces", "an overflow"])
def test_a_range_costs_less_than_5_ms(both: tuple[Served, Abroad], name: str) -> None:
    """Of the server's processor time, for a HEAD as well as for a GET of few bytes.

    Seen red: ranges are compared each with each, again and again.
    """
    server, _ = both
    small = "/o/obj/small/3000?cc=max-age=86400"
    hear(server, asking(small))
    before = server.cpu()
    for method in ("HEAD", "GET") * (REPEATED // 2):
        hear(server, asking(small, bits(name), method=method))
    assert (server.cpu() - before) / REPEATED < 0.005 + 0.01 / REPEATED


@pytest.mark.row(46)
def test_ranges_of_what_is_not_stored_fetch_it_once_at_most(both: tuple[Served, Abroad]) -> None:
    """RangeAmp: bytes of the upstream for few bytes of an answer, and many ranges handed on to it.

    Seen red: many ranges are handed on to the upstream.
    """
    server, origin = both
    for number, name in enumerate(RANGES):
        hear(server, asking(f"/o/obj/r{number}/{SIZE}?cc=max-age=86400", bits(name)))
    for number, _ in enumerate(RANGES):
        assert origin.sent(f"/obj/r{number}/{SIZE}") <= SIZE + 100
    assert not [record for record in origin.log if "," in dict(record.headers).get("Range", "")]
