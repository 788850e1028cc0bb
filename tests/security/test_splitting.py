"""Nothing that an upstream or an address says becomes a second answer, or a field of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.test_edge import asking, hear
from tests.instruments.server import Served, served

from .upstream import Upstream, upstream

CONFIG = """
[cache]
min_free = "1MB"
[upstream]
retries = 0
[mirrors.o]
ecosystem = "http"
upstream = "{0}/o"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{0}/simple"
[mirrors.npm]
ecosystem = "npm"
upstream = "{0}/npm"
"""
SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Evil: yes\r\n\r\nEVIL"
OK = b"HTTP/1.1 200 OK\r\n"
GOOD = b"Content-Length: 5\r\n"

HEADS = {
    "a bare carriage return in a value": OK + GOOD + b"X: a\rSet-Cookie: evil=1\r\n\r\nhello",
    "a bare line feed in a value": OK + GOOD + b"X: a\nX-Evil: yes\r\n\r\nhello",
    "a NUL in a value": OK + GOOD + b"X: a\0X-Evil: yes\r\n\r\nhello",
    "a vertical tab in a value": OK + GOOD + b"X: a\x0b\x0cX-Evil: yes\r\n\r\nhello",
    "a folded value": OK + GOOD + b"X: a\r\n X-Evil: yes\r\n\r\nhello",
    "next line in UTF-8": OK + GOOD + "X: a\u0085\u2028X-Evil: yes\r\n\r\n".encode() + b"hello",
    "what becomes line feeds when cut to bytes": OK + GOOD + "X: a\u010d\u010aX-Evil: yes\r\n\r\n".encode() + b"hello",
    "an encoded line feed": OK + GOOD + b"X: a%0d%0aX-Evil: yes\r\n\r\nhello",
    "a space in a name": OK + GOOD + b"X Evil: yes\r\n\r\nhello",
    "a space before a colon": OK + b"Content-Length : 5\r\n\r\nhello",
    "no colon": OK + GOOD + b"X-Evil\r\n\r\nhello",
    "an empty name": OK + GOOD + b": X-Evil: yes\r\n\r\nhello",
    "a reason with a line feed": b"HTTP/1.1 200 OK\nX-Evil: yes\r\n" + GOOD + b"\r\nhello",
    "a reason with a carriage return": b"HTTP/1.1 200 OK\rX-Evil: yes\r\n" + GOOD + b"\r\nhello",
    "two lengths": OK + GOOD + b"Content-Length: 6\r\n\r\nhello" + SECOND,
    "a length and chunks": OK + GOOD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + SECOND,
    "a length with a sign": OK + b"Content-Length: +5\r\n\r\nhello" + SECOND,
    "an unknown coding": OK + b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + SECOND,
    "a second answer behind the first": OK + GOOD + b"\r\nhello" + SECOND,
    "a second answer behind chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + SECOND,
    "a second answer behind a 304": b"HTTP/1.1 304 Not Modified\r\n" + GOOD + b"\r\n" + SECOND,
    "a second answer behind a 204": b"HTTP/1.1 204 No Content\r\n" + GOOD + b"\r\n" + SECOND,
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\nConnection: Upgrade\r\n\r\n" + SECOND,
    "a trailer": OK + b"Transfer-Encoding: chunked\r\nTrailer: X-Evil\r\n\r\n5\r\nhello\r\n0\r\nX-Evil: yes\r\n\r\n",
    "fields of one connection": OK
    + GOOD
    + b"Connection: close, X-Evil\r\nX-Evil: yes\r\nKeep-Alive: X-Evil\r\n\r\nhello",
    "no head at all": b"X-Evil: yes\r\n\r\n" + SECOND,
    "HTTP/0.9": b"X-Evil: yes",
}
BARE = ("a bare line feed in a value", "a reason with a line feed")
"""What stands behind it is a field of the upstream's own: a line feed alone may end a line (RFC 9112 §2.2)."""
TARGETS = (
    "/o/%0d%0aX-Evil:%20yes",
    "/o/x?q=%0d%0aX-Evil:%20yes",
    "/pypi/simple/%0d%0aX-Evil:%20yes/",
    "/pypi/simple/A_B?%0d%0aX-Evil:%20yes",
    "/pypi/simple/a_b\r\nX-Evil: yes",
    "/pypi/simple/A_B?\rX-Evil: yes",
    "/pypi/simple/A_B?\nX-Evil: yes",
    "/npm/%0d%0aX-Evil:%20yes",
    "/npm/x/-/x-1.0.0.tgz%0d%0aX-Evil:%20yes",
    "/%0d%0aX-Evil:%20yes",
    "/-/%0d%0aX-Evil:%20yes",
    "/-/api/explain?url=%0d%0aX-Evil:%20yes",
    "/o/\u010d\u010aX-Evil:yes",
    "//evil.test/%2e%2e",
    "/pypi//evil.test/simple",
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Upstream]]:
    with upstream() as origin, served(tmp_path_factory.mktemp("splitting"), CONFIG.format(origin.url())) as server:
        yield server, origin
        assert "Traceback" not in server.log()


def fields(got: bytes) -> list[bytes]:
    """The names of an answer's fields."""
    return [line.partition(b":")[0].strip().lower() for line in got.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]


@pytest.mark.row(41)
@pytest.mark.parametrize("name", HEADS)
def test_what_an_upstream_says_is_one_answer(both: tuple[Served, Upstream], name: str) -> None:
    """For who asks first, for who gets what is stored, and on the connection that is used next.

    Seen red: what an upstream's Connection names is handed on; control characters of an upstream's fields are handed
    on; a blank before an upstream's colon stays there.
    """
    (server, origin), path = both, f"/o/{name.replace(' ', '-')}"
    origin.says[path] = HEADS[name]
    for _ in range(2):
        got, _ = hear(server, asking(path))
        assert got.count(b"HTTP/1.1 ") == 1
        status = int(got.split()[1])
        assert status in (200, 204, 304, 502)
        names = fields(got)
        assert not {b"set-cookie", b""} & set(names)
        assert b"x-evil" not in names or name in BARE
        assert all(byte >= 32 or byte in b"\r\n\t" for byte in got.partition(b"\r\n\r\n")[0])
        assert not re.search(rb"\r\n[^:]*[ \t]:", got.partition(b"\r\n\r\n")[0])  # RFC 9112 §5.1
        assert b"\n" not in got.partition(b"\r\n\r\n")[0].replace(b"\r\n", b"")
        assert b"\r" not in got.partition(b"\r\n\r\n")[0].replace(b"\r\n", b"")
        assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
        assert b"EVIL" not in got
        if status == 200:
            assert b"hello" in got.partition(b"\r\n\r\n")[2]


@pytest.mark.row(41)
@pytest.mark.parametrize("target", TARGETS)
def test_what_an_address_says_is_no_field(both: tuple[Served, Upstream], target: str) -> None:
    """Not of the answer, not of the request to the upstream, and no line of the log; a redirect stays on this server.

    Seen red: a redirect leads to another server.
    """
    server, origin = both
    origin.asked.clear()
    got, _ = hear(server, f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    head = got.partition(b"\r\n\r\n")[0]
    assert int(got.split()[1]) in (200, 301, 400, 404, 502)
    assert b"x-evil" not in fields(got)
    assert all(b"x-evil" not in fields(asked) for asked in origin.asked)
    assert not any(line.startswith(("X-Evil", " yes")) for line in server.log().splitlines())
    places = [line.partition(b":")[2].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"location:")]
    assert all(place.startswith(b"/") and not place.startswith((b"//", b"/\\")) for place in places)
