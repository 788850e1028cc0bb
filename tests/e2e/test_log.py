"""The log of a real server: one line for each request, the request's name in errors, and no secret anywhere."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.instruments.clock import until
from tests.instruments.origin import Origin
from tests.instruments.process import origin_process
from tests.instruments.server import Served, http_mirror, served

FRESH = "cc=max-age=86400"
LINE = re.compile(
    r'\S+ \S+ INFO    mirror\.access: 127\.0\.0\.1 "(?P<method>\S+) (?P<address>\S+)" (?P<status>\d+) (?P<bytes>\d+)'
    r" bytes (?P<ms>[\d.]+) ms(?P<whole>| incomplete) \[(?P<outcome>.*)\](?: key \S+)? first (?P<first>[\d.]+) ms"
    r' "(?P<agent>[^"]*)" (?P<id>\S+)'
)


def ask(server: Served, target: str, method: str = "GET", **fields: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(method, target, headers={name.replace("_", "-"): value for name, value in fields.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def access(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in found if line["logger"] == "mirror.access"]


def test_each_request_is_one_object_with_all_that_there_is_to_say(tmp_path: Path) -> None:
    log = '[log]\nformat = "json"\n'
    with origin_process() as origin, served(tmp_path / "mirror", log + http_mirror(origin.address), 1) as server:
        target = f"/o/obj/a/1000?{FRESH}"
        for asked in range(1, 6):
            assert "x-request-id" not in ask(server, target, User_Agent='pip "24"')[1]
            until(lambda: len(access(server.log())) == asked)  # noqa: B023  called at once
        ask(server, "/o/obj/a/nonsense", User_Agent='pip "24"')
        until(lambda: len(access(server.log())) == 6)
        _, named, _ = ask(server, "/nowhere/x", X_Request_Id="mine-1")
        until(lambda: len(access(server.log())) >= 7)
        server.stop()
        found = access(server.log())
        assert all(json.loads(line) for line in server.log().splitlines() if line.startswith("{"))
    assert [line["cache"] for line in found] == ["MISS", "HIT", "HIT", "HIT", "HIT", "MISS", "ERROR"]
    for line in found[:5]:
        told = (line["method"], line["address"], line["status"], line["bytes"], line["whole"], line["mirror"])
        assert told == ("GET", target, 200, 1000, True, "o")
        assert (line["client"], line["agent"], line["level"]) == ("127.0.0.1", "pip '24'", "info")
        assert 0 <= line["first_ms"] <= line["ms"] < 10_000
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert found[0]["first_ms"] > 0
    assert 0 in [line["first_ms"] for line in found[2:5]]  # a prepared reply
    assert found[0]["outcome"].startswith("mirror; fwd=uri-miss; fwd-status=200")
    assert len({line["id"] for line in found}) == 7
    assert (found[6]["id"], named["x-request-id"], found[6]["mirror"]) == ("mine-1", "mine-1", "")


def test_an_error_says_its_requests_name_and_the_log_has_it(tmp_path: Path) -> None:
    with served(tmp_path / "mirror", http_mirror("http://127.0.0.1:1"), 2) as server:
        for target, method in (("/o/x", "GET"), ("/nowhere", "GET"), ("/-/none", "GET"), ("/-/api/purge", "POST")):
            for given in ("client/7", "with space", "x" * 129, 'quote"', ""):
                status, fields, body = ask(server, target, method, **({"X_Request_Id": given} if given else {}))
                assert status >= 400
                name, told = fields["x-request-id"], json.loads(body)
                assert told["instance"] == name.replace("/", "%2F")
                assert int(fields["content-length"]) == len(body)
                assert (name == given) == (given == "client/7")
                if target != "/-/none":  # who only looks there is not told of
                    until(lambda: f" {name}\n" in server.log())  # noqa: B023
        ids = [found["id"] for line in server.log().splitlines() if (found := LINE.fullmatch(line))]
        others = [name for name in ids if name != "client/7"]
        assert len(set(others)) == len(others)


def test_a_line_of_text_begins_as_ever_and_ends_with_agent_and_name(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path / "mirror", http_mirror(origin.address), 1) as server:
        for _ in range(4):
            ask(server, f"/o/obj/a/1000?{FRESH}&x=1", User_Agent="curl/8")
        until(lambda: server.log().count("mirror.access") >= 4)
        found = [LINE.fullmatch(line) for line in server.log().splitlines() if "mirror.access" in line]
    assert len(found) == 4
    for line in found:
        assert line
        assert (line["address"], line["bytes"], line["agent"]) == (f"/o/obj/a/1000?{FRESH}&x=1", "1000", "curl/8")


def test_a_file_is_shared_by_all_processes_and_may_be_moved_away(tmp_path: Path) -> None:
    log, moved = tmp_path / "log.jsonl", tmp_path / "log.1"
    config = f'[log]\nformat = "json"\nfile = "{log}"\n'
    with origin_process() as origin, served(tmp_path / "mirror", config + http_mirror(origin.address), 3) as server:
        for _ in range(100):
            ask(server, f"/o/obj/a/1000?{FRESH}")
        until(lambda: len(access(log.read_text())) == 100)
        log.rename(moved)
        for _ in range(100):
            ask(server, f"/o/obj/a/1000?{FRESH}")
        until(lambda: log.exists() and len(access(log.read_text())) + len(access(moved.read_text())) == 200)
        assert len(access(log.read_text())) >= 97  # what each had gathered may have been on its way
        assert "mirror.access" not in server.log()
        assert all(json.loads(line) for path in (log, moved) for line in path.read_text().splitlines())


CANARIES = """
[log]
level = "debug"
format = "{form}"
[admin]
token = "{token}"
[cache]
min_free = "1MB"
[upstream]
retries = 1
head_timeout = "1s"
{upstream}
[mirrors.o]
ecosystem = "http"
upstream = "{origin}"
auth = "basic env:MIRROR_TEST_USER env:MIRROR_TEST_PASSWORD"
[mirrors.f]
ecosystem = "http"
upstream = ["{origin}", "{origin}/second"]
redirects = "follow"
[mirrors.get]
ecosystem = "any"
allow = ["127.0.0.1:{port}"]
allow_private = true
"""

QUERY = "token=canary1&X-Amz-Signature=canary2&sig=canary3&password=canary4&to=http%3A%2F%2Fx%2F%3Fapi_key%3Dcanary5"
FIELDS = (
    *("Authorization: Bearer canary-bearer", "Cookie: sid=canary-cookie", "Referer: http://x/?token=canary-referrer"),
    *("Proxy-Authorization: Basic canary-proxy", "X-Api-Key: canary-key", "X-Forwarded-For: canary-for"),
)


def shapes(origin: Origin) -> list[str]:
    """Documents that fail in all ways, and redirects with signed addresses to them."""
    origin.route("/good", headers=[("Set-Cookie", "sid=canary-set"), ("Cache-Control", "max-age=60")], body=b"good")
    origin.route("/fails", 500, body=b"no")
    origin.route("/busy", 503, body=b"no")
    for name, shape in {"drops": "drop=1", "cut": "cut=50%", "resets": "reset=50%", "waits": "wait=3"}.items():
        origin.route(f"/{name}", body=b"x" * 50_000, shape=shape)
    names = ["good", "fails", "busy", "drops", "cut", "resets", "waits", "none"]
    for name in names:
        origin.route(f"/to-{name}", 302, [("Location", origin.url(f"/{name}?X-Amz-Signature=canary-signed"))])
    origin.route("/to-nowhere", 302, [("Location", "http://127.0.0.1:1/x?sig=canary-nowhere")])
    origin.route("/to-user", 302, [("Location", "http://user:canary-user@127.0.0.1:1/x")])
    origin.route("/to-bad", 302, [("Location", "http://[bad?token=canary-bad")])
    origin.route("/loop", 302, [("Location", origin.url("/loop?token=canary-loop"))])
    names += [*(f"to-{name}" for name in names), "to-nowhere", "to-user", "to-bad", "loop"]
    return names


def said(port: int, text: str) -> bytes:
    """All that comes back for a request as it is written, less what the upstream itself tells the client."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(text.encode())
        got = b""
        try:
            while piece := connection.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
    theirs = rb"set-cookie|location" if text.split()[1].startswith("/o/") else b"set-cookie"
    return re.sub(rb"(?mi)^(%s): .*$" % theirs, b"", got)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("way", ["", 'proxy = "http://user:canary-through@127.0.0.1:1"'], ids=["direct", "by proxy"])
async def test_no_secret_is_in_the_log_or_in_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, way: str
) -> None:
    monkeypatch.setenv("MIRROR_TEST_USER", "canary-name")
    monkeypatch.setenv("MIRROR_TEST_PASSWORD", "canary-word")
    async with Origin() as origin:
        names = shapes(origin)
        address = origin.url("").rstrip("/")
        config = CANARIES.format(form=form, token=f"canary-{form}", origin=address, upstream=way, port=origin.port)
        server = Served(tmp_path / "mirror", config, 1)
        await asyncio.to_thread(server.start)
        try:
            targets = [f"/{mirror}/{name}?{QUERY}" for mirror in "of" for name in names]
            targets += [f"/get/http/127.0.0.1:{origin.port}/{name}?{QUERY}" for name in names]
            targets += [
                f"{where}?{QUERY}" for where in ("/nowhere", "/-/none", "/-/api/stats", "/-/metrics", "/o/../x")
            ]
            targets += [
                f"/-/api/purge?{QUERY}",
                f"/get/https/user:canary-path@127.0.0.1/x?{QUERY}",
                "/get/ftp/canary:x@h/",
            ]
            targets += [f"http://user:canary-absolute@127.0.0.1:{server.port}/o/none?{QUERY}"]
            targets += [
                f"http://user:canary-absolute@127.0.0.1:{origin.port}/none?{QUERY}",
                f"http://canary:x@y/?{QUERY}",
            ]
            methods = {"/-/api/purge": "POST"}
            head = "\r\n".join(("Host: localhost", "Connection: close", *FIELDS, "", ""))
            plain = "\r\n".join(("Host: localhost", "Connection: close", "", ""))
            asked = [(methods.get(target.partition("?")[0], "GET"), target) for target in targets]
            asked += [("PURGE", f"/o/good?{QUERY}"), ("TRACE", f"/o/good?{QUERY}"), ("BREW", f"/o/good?{QUERY}")]
            texts = [f"{method} {target} HTTP/1.1\r\n{end}" for method, target in asked for end in (head, plain)]
            gate = asyncio.Semaphore(8)

            async def heard(text: str) -> bytes:
                async with gate:
                    return await asyncio.to_thread(said, server.port, text)

            answers = await asyncio.gather(*map(heard, texts))
        finally:
            await asyncio.to_thread(server.stop)
        log = server.log()
        for text, answer in zip(texts, answers, strict=True):
            assert answer.startswith(b"HTTP/1.1 "), text
            assert b"canary" not in answer, (text, answer)
        assert not [line for line in log.splitlines() if "canary" in line]
        assert log.count("mirror.access") > len(texts) - 20
        assert "***" in log
        assert bool(way) or re.search(r"DEBUG|\"debug\"", log)
