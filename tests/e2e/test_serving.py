"""A real server in a process of its own, asked over sockets: statuses, fields, framing, purge, health."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.instruments import bodies
from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.reader import read
from tests.instruments.server import Served, http_mirror, served

FRESH = "cc=max-age=86400"


class Client:
    """Short blocking requests to one server."""

    def __init__(self, server: Served) -> None:
        self.server = server

    def ask(
        self, method: str, path: str, body: Any = None, **fields: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            headers = {name.replace("_", "-"): value for name, value in fields.items()}
            payload = None
            if body is not None:
                payload, headers = json.dumps(body).encode(), {"content-type": "application/json", **headers}
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=30) as connection:
            connection.sendall(request)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
            return received


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Abroad]]:
    with (
        origin_process() as origin,
        served(tmp_path_factory.mktemp("served"), http_mirror(origin.url())) as server,
    ):
        yield Client(server), origin


class TestAnswers:
    def test_first_a_miss_then_a_hit_and_each_says_so(self, both: tuple[Client, Abroad]) -> None:
        client, _ = both
        seen = []
        for _ in range(2):
            status, fields, body = client.ask("GET", f"/o/obj/a/100000?{FRESH}")
            assert status == 200
            assert body == bodies.body("a", 0, 100_000)
            assert fields["accept-ranges"] == "bytes"
            assert fields["content-length"] == "100000"
            assert "mirror" in fields["via"]
            seen.append((fields["x-cache"], fields["cache-status"].split(";")[1].strip()))
        assert seen == [("MISS", "fwd=uri-miss"), ("HIT", "hit")]

    def test_head_says_what_get_would_without_fetching_the_body(self, both: tuple[Client, Abroad]) -> None:
        client, origin = both
        status, cold, body = client.ask("HEAD", f"/o/obj/h/100000?{FRESH}")
        assert (status, body, cold["content-length"]) == (200, b"", "100000")
        assert origin.sent("/obj/h/100000") == 0
        client.ask("GET", f"/o/obj/h/100000?{FRESH}")
        _, warm, _ = client.ask("HEAD", f"/o/obj/h/100000?{FRESH}")
        assert warm["etag"] == cold["etag"]
        assert warm["content-length"] == "100000"

    @pytest.mark.parametrize("state", ["cold", "warm"])
    def test_ranges(self, both: tuple[Client, Abroad], state: str) -> None:
        client, _ = both
        path = f"/o/obj/r{state}/100000?{FRESH}"
        seed = f"r{state}"
        if state == "warm":
            client.ask("GET", path)
        status, fields, body = client.ask("GET", path, range="bytes=5-9")
        assert (status, body) == (206, bodies.body(seed, 5, 5))
        assert fields["content-range"] == "bytes 5-9/100000"
        for asked, start, end in [("bytes=99990-", 99_990, 100_000), ("bytes=-10", 99_990, 100_000)]:
            status, fields, body = client.ask("GET", path, range=asked)
            assert (status, body) == (206, bodies.body(seed, start, end - start))
        status, fields, _ = client.ask("GET", path, range="bytes=100000-")
        assert (status, fields["content-range"]) == (416, "bytes */100000")
        for ignored in ("lines=1-2", "bytes=x-2", "bytes=5-1"):
            assert client.ask("GET", path, range=ignored)[0] == 200
        status, fields, body = client.ask("GET", path, range="bytes=0-1,50-51")
        assert status == 206
        assert fields["content-type"].startswith("multipart/byteranges")
        assert bodies.body(seed, 0, 2) in body
        assert bodies.body(seed, 50, 2) in body

    def test_if_range_with_another_tag_gets_the_whole(self, both: tuple[Client, Abroad]) -> None:
        client, _ = both
        path = f"/o/obj/ir/1000?{FRESH}"
        tag = client.ask("GET", path)[1]["etag"]
        assert client.ask("GET", path, range="bytes=0-9", if_range=tag)[0] == 206
        assert client.ask("GET", path, range="bytes=0-9", if_range='"another"')[0] == 200

    def test_a_client_that_has_it_gets_304(self, both: tuple[Client, Abroad]) -> None:
        client, _ = both
        path = f"/o/obj/c/1000?{FRESH}"
        fields = client.ask("GET", path)[1]
        for condition in (
            {"if_none_match": fields["etag"]},
            {"if_none_match": "*"},
            {"if_none_match": f'"x", W/{fields["etag"]}'},
            {"if_modified_since": fields["last-modified"]},
        ):
            status, answer, body = client.ask("GET", path, **condition)
            assert (status, body) == (304, b"")
            assert answer["etag"] == fields["etag"]
        assert client.ask("GET", path, if_match='"another"')[0] == 412

    def test_errors_are_problems_that_a_person_understands(self, both: tuple[Client, Abroad]) -> None:
        client, _ = both
        status, fields, body = client.ask("GET", "/nowhere/x")
        assert (status, fields["content-type"]) == (404, "application/problem+json")
        problem = json.loads(body)
        assert problem["detail"] == problem["error"]
        assert "/o/" in problem["detail"]
        assert client.ask("TRACE", "/o/obj/a/10")[0] == 405
        assert client.ask("GET", "/o/obj/a/10", body={"fat": "get"})[0] == 400

    @pytest.mark.row(9)
    def test_http_1_0_gets_no_chunks(self, both: tuple[Client, Abroad]) -> None:
        """Seen red: a client of HTTP/1.0 is sent chunks."""
        client, _ = both
        for query in (f"{FRESH}&chunked=1", FRESH):
            received = client.raw(f"GET /o/obj/ten/50000?{query} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            head, _, body = received.partition(b"\r\n\r\n")
            assert b"transfer-encoding" not in head.lower()
            assert body == bodies.body("ten", 0, 50_000)

    def test_pipelined_requests_are_answered_in_order(self, both: tuple[Client, Abroad]) -> None:
        client, _ = both
        asked = [f"GET /o/obj/p{n}/{1000 + n}?{FRESH} HTTP/1.1\r\nHost: x\r\n" for n in range(5)]
        received = client.raw("\r\n".join([*asked[:-1], asked[-1] + "Connection: close\r\n", ""]).encode())
        assert received.count(b"HTTP/1.1 200") == 5
        at = 0
        for number in range(5):
            found = received.find(bodies.body(f"p{number}", 0, 1000 + number), at)
            assert found > at
            at = found


class TestBrokenBodies:
    @pytest.mark.row(3, at="what the client sees: a reset, and no hit afterwards")
    async def test_a_body_that_breaks_off_is_reset_and_never_looks_whole(self, both: tuple[Client, Abroad]) -> None:
        """Seen red: a client whose answer breaks off sees an end in good order."""
        client, _ = both
        for number, fault in enumerate(["cut=50%25&version=2:after=1", "chunked=1&noterm=1&ranges=0&etag=flip"]):
            path = f"/obj/broken{number}/3000000"
            reading = await read(client.server.url(f"/o{path}?{FRESH}&{fault}"), seed=f"broken{number}", size=3_000_000)
            assert reading.verdict == "truncated", reading
            _, fields, _ = await asyncio.to_thread(client.ask, "HEAD", f"/o{path}?{FRESH}&{fault}")
            assert fields["x-cache"] != "HIT"

    @pytest.mark.row(3, at="what the client sees: a reset, and no hit afterwards")
    async def test_a_wrong_length_is_never_stored(self, both: tuple[Client, Abroad]) -> None:
        client, _ = both
        url = client.server.url(f"/o/obj/long/1000000?{FRESH}&length=1000100&ranges=0")
        for _ in range(2):
            reading = await read(url, seed="long", size=1_000_100)
            assert reading.verdict in ("truncated", "refused"), reading
            assert not reading.complete


class TestAdmin:
    def test_purge_by_address_prefix_and_everything(self, both: tuple[Client, Abroad]) -> None:
        client, _ = both
        paths = [f"/o/obj/purge{n}/1000?{FRESH}" for n in range(3)]
        for path in paths:
            client.ask("GET", path)
        status, _, body = client.ask("POST", "/-/api/purge", {"urls": [paths[0]], "dry_run": True})
        assert (status, json.loads(body)["matched"], json.loads(body)["purged"]) == (200, 1, 0)
        assert client.ask("GET", paths[0])[1]["x-cache"] == "HIT"
        purged = json.loads(client.ask("POST", "/-/api/purge", {"urls": [paths[0]]})[2])
        assert (purged["purged"], purged["entries"]) == (1, [paths[0]])
        assert purged["bytes"] >= 1000
        assert client.ask("GET", paths[0])[1]["x-cache"] == "MISS"
        assert json.loads(client.ask("POST", "/-/api/purge", {"prefixes": ["/o/obj/purge"]})[2])["purged"] == 3
        assert client.ask("GET", paths[1])[1]["x-cache"] == "MISS"
        assert json.loads(client.ask("POST", "/-/api/purge", {"everything": True})[2])["purged"] >= 1
        assert client.ask("GET", paths[1])[1]["x-cache"] == "MISS"
        assert json.loads(client.ask("POST", "/-/api/purge", {"urls": ["/o/never"]})[2])["matched"] == 0

    def test_a_soft_purge_keeps_the_bytes_and_asks_again(self, both: tuple[Client, Abroad]) -> None:
        client, _ = both
        path = f"/o/obj/soft/1000?{FRESH}"
        client.ask("GET", path)
        assert json.loads(client.ask("POST", "/-/api/purge", {"urls": [path], "soft": True})[2])["purged"] == 1
        status, fields, body = client.ask("GET", path)
        assert (status, fields["x-cache"], body) == (200, "REVALIDATED", bodies.body("soft", 0, 1000))
        assert client.ask("GET", path)[1]["x-cache"] == "HIT"

    def test_the_purge_method(self, both: tuple[Client, Abroad]) -> None:
        client, _ = both
        path = f"/o/obj/method/1000?{FRESH}"
        client.ask("GET", path)
        assert client.ask("PURGE", path)[0] == 200
        assert client.ask("PURGE", path)[0] == 404

    @pytest.mark.parametrize(
        ("body", "named"),
        [({"url": ["/o/a"]}, "url"), ({"urls": "/o/a"}, "urls"), ({"urls": ["/elsewhere/a"]}, "/elsewhere/a")],
    )
    def test_a_bad_body_is_named(self, both: tuple[Client, Abroad], body: Any, named: str) -> None:
        status, _, answer = both[0].ask("POST", "/-/api/purge", body)
        assert status == 400
        assert named in json.loads(answer)["detail"]

    @pytest.mark.row(49)
    def test_a_page_of_another_origin_may_not_purge(self, both: tuple[Client, Abroad]) -> None:
        client, _ = both
        assert client.ask("POST", "/-/api/purge", {"everything": True}, origin="http://evil.test")[0] == 403
        assert client.ask("POST", "/-/api/purge", {"everything": True}, sec_fetch_site="cross-site")[0] == 403
        assert client.ask("GET", "/-/api/purge")[0] == 405

    def test_health_and_readiness(self, both: tuple[Client, Abroad]) -> None:
        client, _ = both
        assert client.ask("GET", "/-/health")[0] == 200
        status, _, body = client.ask("GET", "/-/ready")
        assert (status, json.loads(body)["status"]) == (200, "ok")
        assert set(json.loads(body)["checks"]) == {"started", "draining", "cache"}

    def test_a_token_is_asked_for_where_one_is_set(self, tmp_path: Path) -> None:
        config = http_mirror("http://127.0.0.1:9") + '[admin]\ntoken = "correct"\n'
        with served(tmp_path, config) as server:
            client = Client(server)
            for shown, expected in [("", 401), ("Bearer wrong", 401), ("Bearer correct", 200)]:
                fields = {"authorization": shown} if shown else {}
                assert client.ask("POST", "/-/api/purge", {"urls": ["/o/a"]}, **fields)[0] == expected
                purged = client.ask("PURGE", "/o/a", **fields)[0]
                assert purged == (404 if expected == 200 else 401)
