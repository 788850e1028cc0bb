"""The edge of a real server, over bare sockets: what is no request, what breaks off, who may change things."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.instruments import bodies
from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.server import Served, http_mirror, served

FRESH = "cc=max-age=86400"
OK = f"/o/obj/a/100?{FRESH}"
BIG = 20_000_000


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Abroad]]:
    folder = tmp_path_factory.mktemp("edge")
    with origin_process() as origin, served(folder, http_mirror(origin.url())) as server:
        yield server, origin
        assert "Traceback" not in server.log()


def hear(server: Served, request: str | bytes) -> tuple[bytes, bool]:
    """All that comes back, and whether a reset ended it."""
    got = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request.encode("latin-1") if isinstance(request, str) else request)
        try:
            while chunk := connection.recv(1 << 20):
                got += chunk
        except ConnectionResetError:
            return got, True
    return got, False


def asking(target: str, *fields: str, method: str = "GET", last: bool = True) -> str:
    end = ("Connection: close",) if last else ()
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: localhost", *fields, *end, "", ""))


def parts(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), fields, body


REFUSED = {
    "no host": f"GET {OK} HTTP/1.1\r\n\r\n",
    "two hosts": f"GET {OK} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a host that is none": f"GET {OK} HTTP/1.1\r\nHost: a/b?c\r\n\r\n",
    "another protocol": f"GET {OK} HTTP/2.0\r\nHost: a\r\n\r\n",
    "a fragment": f"GET {OK}#x HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes beyond ascii": "GET /o/\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "an encoded NUL": "GET /o/%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a way upwards": "GET /o/%2e%2e/-/health HTTP/1.1\r\nHost: a\r\n\r\n",
    "no method": f"NONE {OK} HTTP/1.1\r\nHost: a\r\n\r\n",
    "length and chunks": f"POST {OK} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": f"POST {OK} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "an unknown coding": f"POST {OK} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a fat GET": f"GET {OK} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "a folded field": f"GET {OK} HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
}


@pytest.mark.row(41)
class TestRequests:
    @pytest.mark.row(41, at="14 probes directly, each with a second request behind it: one answer, 400")
    @pytest.mark.parametrize("name", REFUSED)
    def test_what_has_no_single_meaning_is_refused_and_the_connection_closed(
        self, both: tuple[Served, Abroad], name: str
    ) -> None:
        got, reset = hear(both[0], REFUSED[name] + asking(OK))
        status, fields, body = parts(got)
        assert (status, reset, got.count(b"HTTP/1.1 ")) == (400, False, 1)
        assert fields["content-type"] == "application/problem+json"
        assert json.loads(body)["status"] == 400
        assert {"cache-status", "x-cache", "date"} <= fields.keys()

    @pytest.mark.row(33, at="16 KiB of address, 64 KiB or 256 lines of fields, by default")
    @pytest.mark.parametrize(
        ("status", "request_head"),
        [
            (414, asking("/o/" + "a" * 100_000)),
            (431, asking(OK, *["X: y"] * 10_000)),
            (431, asking(OK, "X: " + "y" * 5_000_000)),
        ],
        ids=["address", "fields", "field"],
    )
    def test_what_is_too_long_is_refused_and_the_refusal_heard(
        self, both: tuple[Served, Abroad], status: int, request_head: str
    ) -> None:
        got, reset = hear(both[0], request_head)
        assert (parts(got)[0], reset, json.loads(parts(got)[2])["status"]) == (status, False, status)

    def test_there_are_no_tunnels(self, both: tuple[Served, Abroad]) -> None:
        got, reset = hear(both[0], "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n" + asking(OK))
        status, fields, body = parts(got)
        assert (status, reset, got.count(b"HTTP/1.1 ")) == (405, False, 1)
        assert fields["allow"] == "GET, HEAD"
        assert "DIRECT" in json.loads(body)["detail"]

    def test_an_absolute_address_is_answered_for_our_own_names_only(self, both: tuple[Served, Abroad]) -> None:
        server, _ = both
        assert parts(hear(server, asking(f"http://127.0.0.1:{server.port}{OK}"))[0])[0] == 200
        assert parts(hear(server, asking(f"http://evil.test{OK}"))[0])[0] == 403

    def test_after_an_upgrade_that_is_ignored_the_connection_goes_on(self, both: tuple[Served, Abroad]) -> None:
        upgrading = asking(OK, "Upgrade: h2c", "Connection: Upgrade", last=False)
        got, _ = hear(both[0], upgrading + upgrading + asking(OK))
        assert got.count(b"HTTP/1.1 200") == 3

    @pytest.mark.row(45, at="disguises of the admin path")
    def test_what_stands_below_the_admin_path_is_told_by_the_raw_path(self, both: tuple[Served, Abroad]) -> None:
        for target in ("/%2d/health", "/-%2fhealth", "//-/health"):
            assert parts(hear(both[0], asking(target))[0])[0] == 404

    @pytest.mark.parametrize("target", ["/-/nope", "/-/ui/nope", "/-/api/purge", "/nowhere"])
    def test_every_error_is_a_problem_with_the_fields_of_every_answer(
        self, both: tuple[Served, Abroad], target: str
    ) -> None:
        status, fields, body = parts(hear(both[0], asking(target))[0])
        assert status in (404, 405)
        assert fields["content-type"] == "application/problem+json"
        assert json.loads(body)["detail"]
        assert {"cache-status", "x-cache", "date", "via"} <= fields.keys()
        assert fields["cache-control"] == "no-store"


class TestAnswers:
    def test_a_304_has_its_fields_and_neither_length_nor_type(self, both: tuple[Served, Abroad]) -> None:
        hear(both[0], asking(OK))
        status, fields, body = parts(hear(both[0], asking(OK, "If-None-Match: *"))[0])
        assert (status, body) == (304, b"")
        assert {"etag", "date", "cache-control", "age", "cache-status", "x-cache", "via"} <= fields.keys()
        assert not {"content-length", "content-type", "transfer-encoding"} & fields.keys()

    @pytest.mark.parametrize(("field", "status"), [("Range: bytes=100-", 416), ('If-Match: "x"', 412)])
    def test_416_and_412_are_problems_that_nobody_stores(
        self, both: tuple[Served, Abroad], field: str, status: int
    ) -> None:
        got, fields, body = parts(hear(both[0], asking(OK, field))[0])
        assert got == status
        assert json.loads(body)["status"] == status
        assert (int(fields["content-length"]), fields["cache-control"]) == (len(body), "no-store")
        assert fields.get("content-range") == ("bytes */100" if status == 416 else None)

    def test_a_204_has_no_length(self, both: tuple[Served, Abroad]) -> None:
        assert "content-length" not in parts(hear(both[0], asking("/o/obj/a/0?status=204"))[0])[1]

    @pytest.mark.parametrize(("status", "answer"), [(299, 299), (599, 599), (600, 600), (999, 999), (304, 502)])
    def test_odd_statuses_of_the_origin(self, both: tuple[Served, Abroad], status: int, answer: int) -> None:
        server, origin = both
        assert parts(hear(server, asking(f"/o/obj/s{status}/10?status={status}"))[0])[0] == answer
        assert origin.requests(f"/obj/s{status}/10") <= 2

    @pytest.mark.row(46, at="three ranges on the wire")
    def test_several_ranges_have_exactly_the_announced_length(self, both: tuple[Served, Abroad]) -> None:
        status, fields, body = parts(hear(both[0], asking(OK, "Range: bytes=0-1,50-51,-1"))[0])
        assert status == 206
        assert len(body) == int(fields["content-length"])


class TestSendfile:
    def test_pipelined_requests_behind_a_file(self, both: tuple[Served, Abroad]) -> None:
        target, whole = f"/o/obj/z/{BIG}?{FRESH}", bodies.body("z", 0, BIG)
        hear(both[0], asking(target))
        requests = [asking(target, last=False), asking(target, method="HEAD", last=False)]
        requests += [asking(target, "Range: bytes=5-9", last=False), asking(target)]
        got, reset = hear(both[0], "".join(requests))
        assert not reset
        first = got.find(whole)
        assert got[first + BIG :].startswith(b"HTTP/1.1 200")
        assert got.endswith(whole)
        assert b"\r\n\r\n" + whole[5:10] + b"HTTP/1.1 200" in got[first + BIG :]

    @pytest.mark.row(41, at="garbage behind a request")
    def test_garbage_behind_a_request_never_gets_into_its_answer(self, both: tuple[Served, Abroad]) -> None:
        target = f"/o/obj/z/{BIG}?{FRESH}"
        hear(both[0], asking(target))
        got, _ = hear(both[0], asking(target, last=False) + "\0garbage\r\n\r\n")
        answer, _, refusal = got.rpartition(b"HTTP/1.1 400 Bad Request\r\n")
        assert answer.endswith(bodies.body("z", 0, BIG))
        assert answer.count(b"HTTP/1.1 ") == 1
        assert json.loads(refusal.partition(b"\r\n\r\n")[2])["status"] == 400

    @pytest.mark.row(41, at="an unknown coding behind a request with a body")
    def test_what_cannot_be_read_behind_a_body_takes_no_answer_away(self, both: tuple[Served, Abroad]) -> None:
        """Its head is read in the same piece as the end of the body. Seen red: the answer was reset."""
        alone = asking("/o/obj/up/100", "Content-Length: 3", method="POST") + "abc"
        upload = asking("/o/obj/up/100", "Content-Length: 3", method="POST", last=False) + "abc"
        bad = asking(OK, "Transfer-Encoding: chun", method="PUT", last=False) + "ked\r\n\r\n"
        got, reset = hear(both[0], upload + bad)
        assert not reset
        status, fields, _ = parts(got)
        assert (status, fields.get("connection")) == (parts(hear(both[0], alone)[0])[0], "close")
        assert got.count(b"HTTP/1.1 ") == 1

    @pytest.mark.row(22, at="500 hits given up: descriptors are back")
    def test_no_descriptor_is_left_of_500_downloads_that_were_given_up(self, both: tuple[Served, Abroad]) -> None:
        server, _ = both
        target = f"/o/obj/z/{BIG}?{FRESH}"
        hear(server, asking(target))
        folder = f"/proc/{server.pid}/fd"
        before = len(os.listdir(folder))
        for number in range(500):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(asking(target, last=False).encode() * (1 + number % 2))
                connection.recv(1 + 1000 * (number % 7))
                if number % 3 == 0:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        deadline = time.monotonic() + 10
        while len(os.listdir(folder)) > before + 2 and time.monotonic() < deadline:
            hear(server, asking(OK))
        assert len(os.listdir(folder)) <= before + 2

    @pytest.mark.row(3, at="what the client sees: a reset, in HTTP/1.0 and 1.1")
    @pytest.mark.row(9, at="a body that breaks off is reset, as there is no length")
    @pytest.mark.parametrize("version", ["1.0", "1.1"])
    def test_a_body_that_breaks_off_is_reset(self, both: tuple[Served, Abroad], version: str) -> None:
        server, _ = both
        for fault in ("chunked=1&noterm=1&ranges=0&etag=flip", "length=1000100&ranges=0"):
            target = f"/o/obj/broken{version[-1]}/1000000?{FRESH}&{fault}"
            _, reset = hear(server, f"GET {target} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert reset


@pytest.mark.row(49)
class TestRights:
    def purge(self, server: Served, *fields: str, kind: str = "application/json") -> int:
        body = '{"urls": ["/o/never"]}'
        given = fields if any(field.startswith("Host") for field in fields) else ("Host: localhost", *fields)
        head = ("POST /-/api/purge HTTP/1.1", *given, f"Content-Type: {kind}", f"Content-Length: {len(body)}")
        return parts(hear(server, "\r\n".join((*head, "Connection: close", "", body)))[0])[0]

    @pytest.mark.row(49)
    def test_without_a_token_only_this_machine_under_our_own_names_may_purge(self, both: tuple[Served, Abroad]) -> None:
        server, _ = both
        assert self.purge(server) == 200
        assert self.purge(server, "Host: evil.test", "Origin: http://evil.test") == 403  # DNS rebinding
        assert self.purge(server, "X-Forwarded-For: 192.0.2.1") == 403
        assert parts(hear(server, f"PURGE {OK} HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n")[0])[0] == 403

    @pytest.mark.row(49)
    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
    def test_a_browser_form_cannot_purge(self, both: tuple[Served, Abroad], kind: str) -> None:
        assert self.purge(both[0], kind=kind) == 415

    @pytest.mark.row(49)
    def test_401_says_how_to_ask(self, tmp_path: Path) -> None:
        with served(tmp_path, http_mirror("http://127.0.0.1:9") + '[admin]\ntoken = "right"\n') as server:
            assert self.purge(server, "Authorization: Bearer right") == 200
            for request in (asking(OK, method="PURGE"), asking("/-/api/purge", method="POST")):
                status, fields, _ = parts(hear(server, request)[0])
                assert (status, fields["www-authenticate"]) == (401, 'Bearer realm="mirror", Basic realm="mirror"')
