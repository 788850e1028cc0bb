"""No request hides in another one: what two servers could read in two ways is refused, and the connection closed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.test_edge import asking
from tests.instruments.server import Served, http_mirror, served

from .fronts import front, lacking
from .upstream import Upstream, answer, upstream

HIDDEN = "GET /o/hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"
LENGTH = f"Content-Length: {len(HIDDEN)}"


def posting(*fields: str, body: str = "0\r\n\r\n" + HIDDEN, version: str = "1.1", end: str = "\r\n") -> str:
    """A request with these fields and what stands behind them."""
    return end.join((f"POST /o/seen HTTP/{version}", "Host: localhost", *fields, "", "")) + body


PROBES = {
    "a length and chunks": posting("Content-Length: 5", CHUNKED),
    "chunks and a length": posting(CHUNKED, "Content-Length: 5"),
    "a length of nothing and chunks": posting("Content-Length: 0", CHUNKED),
    "chunks of HTTP/1.0": posting(CHUNKED, version="1.0"),
    "two lengths": posting("Content-Length: 0", LENGTH, body=HIDDEN),
    "two lengths in one": posting(f"Content-Length: 0, {len(HIDDEN)}", body=HIDDEN),
    "a length with a sign": posting("Content-Length: +0", body=HIDDEN),
    "a negative length": posting("Content-Length: -1", body=HIDDEN),
    "a length in hex": posting("Content-Length: 0x0", body=HIDDEN),
    "a length with an underscore": posting("Content-Length: 1_0", body=HIDDEN),
    "an endless length": posting("Content-Length: 18446744073709551616", body=HIDDEN),
    "an empty length": posting("Content-Length:", body=HIDDEN),
    "an unknown coding": posting("Transfer-Encoding: xchunked"),
    "a coding behind chunks": posting("Transfer-Encoding: chunked, identity"),
    "chunks twice": posting("Transfer-Encoding: chunked, chunked"),
    "two codings": posting(CHUNKED, "Transfer-Encoding: cow"),
    "a quoted coding": posting('Transfer-Encoding: "chunked"'),
    "a coding with a tab of another kind": posting("Transfer-Encoding:\x0bchunked"),
    "a space before the colon": posting("Transfer-Encoding : chunked"),
    "a space before the name": posting("X: y", " Transfer-Encoding: chunked"),
    "a folded coding": posting("Transfer-Encoding:", " chunked"),
    "a NUL in a field": posting("X: a\0b", "Content-Length: 0", body=HIDDEN),
    "a bare line feed": posting("X: y\nTransfer-Encoding: chunked"),
    "a bare carriage return": posting("X: y\rTransfer-Encoding: chunked"),
    "line feeds alone": posting("Content-Length: 0", body=HIDDEN, end="\n"),
    "a chunk size in words": posting(CHUNKED, body="zz\r\n\r\n0\r\n\r\n" + HIDDEN),
    "a chunk size with a sign": posting(CHUNKED, body="-1\r\n0\r\n\r\n" + HIDDEN),
    "a chunk size that overflows": posting(CHUNKED, body="10000000000000000\r\n0\r\n\r\n" + HIDDEN),
    "a chunk without its end": posting(CHUNKED, body="1\r\nxx0\r\n\r\n" + HIDDEN),
    "a bare line feed behind a chunk": posting(CHUNKED, body="1\nx\n0\n\n" + HIDDEN),
    "a line feed in a chunk extension": posting(CHUNKED, body="0;x\ny\r\n\r\n" + HIDDEN),
    "a fat GET": f"GET /o/seen HTTP/1.1\r\nHost: localhost\r\n{LENGTH}\r\n\r\n{HIDDEN}",
    "no version": f"GET /o/seen\r\n\r\n{HIDDEN}",
    "two spaces in the line": f"GET  /o/seen HTTP/1.1 HTTP/1.1\r\nHost: localhost\r\n\r\n{HIDDEN}",
    "two hosts": f"GET /o/seen HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n{HIDDEN}",
    "no host": f"GET /o/seen HTTP/1.1\r\n\r\n{HIDDEN}",
}
PREFACES = {
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "a proxy's first line": b"PROXY TCP4 192.0.2.1 192.0.2.1 1 1\r\n" + HIDDEN.encode(),
    "SOCKS": b"\x05\x01\x00",
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Upstream]]:
    with upstream() as origin:
        origin.says = {"/seen": answer(b"seen"), "/hidden": answer(b"hidden")}
        with served(tmp_path_factory.mktemp("smuggling"), http_mirror(origin.url())) as server:
            yield server, origin
            assert "Traceback" not in server.log()


def told(port: int, request: bytes, patience: float = 10) -> tuple[bytes, bool]:
    """All that comes back within `patience` seconds of silence, and whether the connection came to its end."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        connection.sendall(request)
        try:
            while chunk := connection.recv(1 << 16):
                got += chunk
        except ConnectionResetError:
            return got, True
        except TimeoutError:
            return got, False
    return got, True


@pytest.mark.row(41)
@pytest.mark.parametrize("name", PROBES)
def test_what_could_hide_a_request_is_refused_and_the_connection_closed(
    both: tuple[Served, Upstream], name: str
) -> None:
    """One answer, no request at the upstream, and nothing is read behind it.

    Seen red: two Host fields are taken; HTTP/1.0 may frame a body by chunks; a GET with a body is answered; the parser
    takes a length beside chunks.
    """
    server, origin = both
    origin.asked.clear()
    got, ended = told(server.port, PROBES[name].encode("latin-1"))
    assert (ended, got.count(b"HTTP/1.1 "), got.count(b"HTTP/1.1 400 ")) == (True, 1, 1)
    assert origin.requests("/hidden") == origin.requests("/seen") == 0


@pytest.mark.row(41)
@pytest.mark.parametrize("name", PREFACES)
def test_another_protocol_is_refused(both: tuple[Served, Upstream], name: str) -> None:
    """Seen red: what cannot be read is not answered; what cannot be read is passed over, and reading goes on behind
    it."""
    got, ended = told(both[0].port, PREFACES[name])
    if name == "SOCKS":  # three bytes may be the beginning of anything, but not these
        assert ended
    assert got.startswith(b"HTTP/1.1 400 ")
    assert (ended, got.count(b"HTTP/1.1 ")) == (True, 1)


@pytest.mark.row(41)
def test_a_websocket_is_an_ordinary_request(both: tuple[Served, Upstream]) -> None:
    """What looks like frames behind it is read as a request, and is none.

    Seen red: reading stops at an upgrade that nobody makes.
    """
    fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
    got, ended = told(
        both[0].port, asking("/o/seen", *fields, "Sec-WebSocket-Version: 13", last=False).encode() + b"\x81\x05hello"
    )
    assert (ended, got.count(b"HTTP/1.1 "), got.count(b"HTTP/1.1 200 "), got.count(b" 101 ")) == (True, 2, 1, 0)
    assert got.count(b"HTTP/1.1 400 ") == 1


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def fronted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Served, Upstream]]:
    """A front's port, the server behind it, and the server's upstream."""
    if why := lacking(request.param):
        pytest.skip(why)
    folder = tmp_path_factory.mktemp(request.param)
    with upstream() as origin, served(folder / "server", http_mirror(origin.url())) as server:
        with front(request.param, folder / "front", server.port) as port:
            yield port, server, origin
        assert "Traceback" not in server.log()


def handed_on(origin: Upstream, path: str) -> list[str]:
    """The names that the front gave the requests which have reached the upstream, in order."""
    heads = [head for head in origin.asked if head.split()[1].startswith(path.encode())]
    return [name[1].decode() if (name := re.search(rb"(?i)\r\nx-front: ([^\r]+)", head)) else "" for head in heads]


@pytest.mark.row(41)
def test_behind_a_front_there_are_as_many_requests_as_it_has_sent(fronted: tuple[int, Served, Upstream]) -> None:
    """Each request of a probe that the front lets through has a name that the front gave it; and what was asked next,
    by somebody else over the same connection to us, is answered with its own answer."""
    port, _, origin = fronted
    for at, (name, probe) in enumerate(PROBES.items()):
        origin.asked.clear()
        origin.says = {"/seen": answer(b"seen"), "/hidden": answer(b"hidden"), f"/next{at}": answer(b"next")}
        got, _ = told(port, probe.encode("latin-1"), patience=0.3)
        following, _ = told(port, asking(f"/o/next{at}").encode())
        assert following.startswith(b"HTTP/1.1 200 "), name
        assert following.partition(b"\r\n\r\n")[2] == b"next", name
        names = [*handed_on(origin, "/seen"), *handed_on(origin, "/hidden")]
        assert "" not in names, name  # a request that the front knows nothing of
        assert len(set(names)) == len(names), name
        assert got.count(b"HTTP/1.1 ") <= 2, name


@pytest.mark.row(41)
def test_the_connections_of_a_front_stay_in_step(fronted: tuple[int, Served, Upstream]) -> None:
    """100 requests of many kinds over the few connections that the front keeps: each has its own answer.

    Seen red: a HEAD is answered with a body, and a front takes it for the next answer.
    """
    port, _, origin = fronted
    kinds = ("GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE")
    for number in range(100):
        path = f"/step{number}"
        origin.says = {path: answer(path.encode())}
        method = kinds[number % len(kinds)]
        fields = ("Content-Length: 3",) if method in ("POST", "PUT") else ()
        got, _ = told(port, (asking(f"/o{path}", *fields, method=method) + "abc" * bool(fields)).encode())
        assert got.startswith(b"HTTP/1.1 200 ")
        assert got.partition(b"\r\n\r\n")[2] == (b"" if method == "HEAD" else path.encode())


@pytest.mark.row(41)
def test_half_a_body_holds_nobody_else_up(fronted: tuple[int, Served, Upstream]) -> None:
    """Who announces more than is sent through a front has no other's request taken for the rest."""
    port, _, origin = fronted
    origin.asked.clear()
    origin.says = {"/half": answer(b"half"), "/other": answer(b"other")}
    with socket.create_connection(("127.0.0.1", port), timeout=30) as half:
        half.sendall(b"POST /o/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nbegin")
        got, _ = told(port, asking("/o/other").encode())
    assert got.endswith(b"\r\n\r\nother")
    assert not any(b"GET /o/other" in head for head in origin.asked)
