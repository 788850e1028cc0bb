"""npm's audits through a mirror: passed on byte for byte, never stored, and never answered with `{}` instead."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import npm_house
from tests.e2e.node_clients import NPM, Project, needed
from tests.e2e.npm_house import problem
from tests.instruments.call import Call, Heard
from tests.instruments.npm_registry import ADVICE, Registry
from tests.instruments.origin import Origin
from tests.instruments.script import Asked, Reply, Script
from tests.instruments.server import Served, served

BULK = "/-/npm/v1/security/advisories/bulk"
PATHS = [BULK, "/-/npm/v1/security/audits/quick", "/-/npm/v1/security/audits"]
BODY = gzip.compress(json.dumps({"plain": ["1.0.0"], "@acme/tools": ["1.1.0"]}).encode(), mtime=0)
FIELDS = ("Content-Type: application/json", "Content-Encoding: gzip", "Accept: application/json")
SAID = b'{"plain":[{"id":1,"title":"not plain enough","severity":"low","vulnerable_versions":"<=1.0.0"}]}'
MOUNTS = 40
MOUNT = """
[mirrors.a{0}]
ecosystem = "npm"
upstream = "{1}/a{0}"
"""


class Desk:
    """A mount of its own for each audit, and the script of what the upstream says to it."""

    def __init__(self, server: Served, script: Script) -> None:
        self._server = server
        self._script = script
        self._numbers = itertools.count()
        self._name = ""

    def expect(self, *replies: Reply) -> None:
        self._name = f"a{next(self._numbers)}"
        self._script.answer(self._name, replies)

    def audit(self, body: bytes = BODY, path: str = BULK, *more: str) -> Heard:
        head = [f"POST /{self._name}{path} HTTP/1.1", "Host: localhost", "Connection: close", *FIELDS, *more]
        head.append(f"Content-Length: {len(body)}")
        with Call(self._server.port, "\r\n".join([*head, "", ""]).encode() + body) as call:
            return call.rest(call.head())

    def asked(self) -> list[Asked]:
        return self._script.asked(self._name)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Script() as script:
        mounts = "".join(MOUNT.format(number, script.url) for number in range(MOUNTS))
        config = f'[cache]\nmin_free = "1MB"\n[upstream]\nretries = 0\n{mounts}'
        with served(tmp_path_factory.mktemp("audit"), config) as server:
            yield Desk(server, script)


@pytest.mark.parametrize("path", PATHS)
def test_the_body_arrives_byte_for_byte_with_the_fields_that_say_what_it_is(desk: Desk, path: str) -> None:
    desk.expect(Reply(fields=("Content-Type: application/json", "Set-Cookie: upstream=1"), body=SAID))
    heard = desk.audit(BODY, path, "Authorization: Bearer client", "Cookie: client=1", "npm-command: audit")
    assert (heard.status, heard.body) == (200, SAID)
    assert heard.fields.get("content-type") == "application/json"
    assert "set-cookie" not in heard.fields
    (asked,) = desk.asked()
    assert (asked.method, asked.body) == ("POST", BODY)
    assert asked.target.endswith(path)
    assert asked.fields.get("content-type") == "application/json"
    assert asked.fields.get("content-encoding") == "gzip"
    assert "authorization" not in asked.fields
    assert "cookie" not in asked.fields


def test_a_plain_body_is_not_called_compressed(desk: Desk) -> None:
    desk.expect(Reply(body=SAID))
    plain = gzip.decompress(BODY)
    head = "POST /{}{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    request = head.format(desk._name, BULK).encode() + b"Content-Length: %d\r\n\r\n" % len(plain) + plain
    with Call(desk._server.port, request) as call:
        assert call.rest(call.head()).body == SAID
    (asked,) = desk.asked()
    assert asked.body == plain
    assert "content-encoding" not in asked.fields


@pytest.mark.parametrize("labelled", [True, False])
def test_a_compressed_answer_comes_as_it_is_also_where_it_does_not_say_so(desk: Desk, labelled: bool) -> None:
    packed = gzip.compress(SAID, mtime=0)
    desk.expect(Reply(fields=("Content-Type: application/json", *["Content-Encoding: gzip"] * labelled), body=packed))
    heard = desk.audit()
    assert (heard.status, heard.body) == (200, packed)
    assert heard.fields.get("content-encoding") == ("gzip" if labelled else None)


def test_an_audit_is_never_answered_from_memory(desk: Desk) -> None:
    lasting = ("Content-Type: application/json", "Cache-Control: public, max-age=600", 'ETag: "a"')
    desk.expect(Reply(fields=lasting, body=SAID), Reply(fields=lasting, body=b"{}"))
    assert [desk.audit().body, desk.audit().body] == [SAID, b"{}"]
    assert len(desk.asked()) == 2


FAILURES = {
    "500": Reply(500, body=b"{}"),
    "502": Reply(502, body=b"{}"),
    "503": Reply(503, ("Retry-After: 7",), b"{}"),
    "504": Reply(504, body=b""),
    "closed before the head": Reply(raw=b"", end="close"),
    "reset": Reply(raw=b"", end="reset"),
    "nonsense": Reply(raw=b"what?\r\n\r\n", end="close"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_audit_is_a_failure_and_never_a_clean_one(desk: Desk, failure: str) -> None:
    desk.expect(FAILURES[failure], Reply(body=SAID))
    heard = desk.audit()
    assert heard.status in (502, 503, 504)
    if not failure.isdecimal():  # else it may be the upstream's own answer
        problem(heard)
    assert (desk.audit().status, len(desk.asked())) == (200, 2)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 429])
def test_a_refused_audit_stays_refused(desk: Desk, status: int) -> None:
    desk.expect(Reply(status, ("Content-Type: application/json",), b'{"error":"no"}'))
    heard = desk.audit()
    assert heard.status in (status, 502, 503)
    problem(heard)


def test_a_truncated_answer_is_no_clean_audit(desk: Desk) -> None:
    desk.expect(Reply(fields=("Content-Type: application/json",), body=SAID[:40], length=len(SAID), end="close"))
    try:
        heard = desk.audit()
    except ConnectionError:
        return
    assert not heard.whole or heard.status >= 500


def test_an_upstream_that_is_not_there_fails_the_audit(tmp_path: Path) -> None:
    config = f'[cache]\nmin_free = "1MB"\n[upstream]\nretries = 0\n{MOUNT.format(0, "http://127.0.0.1:9")}'
    with served(tmp_path, config) as server, Script() as script:
        desk = Desk(server, script)
        desk.expect()
        heard = desk.audit()
        assert heard.status in (502, 503, 504)
        problem(heard)


def test_a_body_beyond_all_measure_is_refused(desk: Desk) -> None:
    desk.expect(Reply(body=SAID))
    try:
        heard = desk.audit(bytes(17_000_000))
    except ConnectionError:  # refused while we still wrote
        heard = None
    assert heard is None or heard.status == 413
    assert not [asked for asked in desk.asked() if len(asked.body) == 17_000_000]


@pytest.mark.parametrize("kind", ["real", "poor"])
async def test_npm_hears_of_what_is_vulnerable_or_that_nobody_could_tell(tmp_path: Path, kind: str) -> None:
    needed("npm")
    async with Origin() as origin:
        registry = Registry(origin, kind, "/n0")
        with served(tmp_path / "mirror", npm_house.config(origin, 1)) as server:
            project = Project(tmp_path, NPM, ["npm"], server.url("/n0"))
            await project.install()
            assert registry.asked(BULK) >= 1
            code, said = await project.tried("npm", "audit", "--json", "--fetch-retries=0")
    told = json.loads(said[: said.rindex("}") + 1].partition("\nnpm ")[0])
    assert code != 0
    if kind == "real":
        assert told["vulnerabilities"]["plain"]["via"][0]["title"] == ADVICE["plain"][0]["title"]
    else:
        assert "vulnerabilities" not in told
