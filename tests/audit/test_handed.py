"""What is said of an artifact that is handed out, prepared or not; nothing of documents, and no secrets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.audit.chain import Link, read
from mirror.audit.handed import Decision, handed
from mirror.engine import Engine
from mirror.errors import Refused
from mirror.model import Mirror, Request
from tests.conftest import World
from tests.instruments.both import Both, ask, both_of

FILE = "/pypi/files/files/thing-1.zip"
TARBALL = "/npm/thing/-/thing-1.0.0.tgz"


@pytest.fixture
async def both(make_world: Callable[..., World]) -> AsyncIterator[Both]:
    async with both_of(make_world()) as opened:
        yield opened


@pytest.fixture
def taken(both: Both) -> list[tuple[float, str]]:
    """What the record is given."""
    found: list[tuple[float, str]] = []
    both.proxy._gathered.record = found.extend
    return found


def told(both: Both, taken: list[tuple[float, str]]) -> list[dict[str, Any]]:
    both.proxy.close()  # writes what is gathered
    return [json.loads(f"{{{members}}}") for _, members in taken]


async def test_a_line_has_all_of_an_artifact(both: Both, taken: list[tuple[float, str]]) -> None:
    await both.cold.talk(ask(FILE, "User-Agent: pip"))
    (line,) = told(both, taken)
    assert line == {
        "event": "given",
        "client": "127.0.0.1",
        "mirror": "pypi",
        "ecosystem": "pypi",
        "package": "thing",
        "version": "1",
        "file": "thing-1.zip",
        "purl": "pkg:pypi/thing@1",
        "sha256": hashlib.sha256(b"PKz").hexdigest(),
        "policy": {"rule": "none", "allowed": True},
        "first_seen": None,
        "status": 200,
        "bytes": 3,
        "outcome": "MISS",
    }
    assert taken[0][0] == both.world.clock()


@pytest.mark.parametrize("target", [FILE, TARBALL, "/o/obj/a/1000?cc=max-age=60", "/o/obj/b/200000?cc=max-age=60"])
async def test_what_is_prepared_is_recorded_as_what_is_not(
    both: Both, taken: list[tuple[float, str]], target: str
) -> None:
    await both.heat(ask(target))
    assert both.prepared >= 1
    told(both, taken)
    taken.clear()
    for _ in range(3):
        await both.warm.talk(ask(target))
    await both.cold.talk(ask(target))
    lines = told(both, taken)
    assert len(lines) == 4
    assert lines[0]["outcome"] == "HIT"
    assert len(lines[0]["sha256"]) == 64
    assert all(line == lines[0] for line in lines)


NOTHING = {
    "a page": ask("/pypi/simple/thing/"),
    "a packument": ask("/npm/thing"),
    "a head": ask(FILE, method="HEAD"),
    "what the client has": ask(FILE, "If-None-Match: *"),
    "no such part": ask(FILE, "Range: bytes=500-"),
    "no such file": ask("/pypi/files/files/thing-2.zip"),
    "no such mirror": ask("/nowhere/thing-2.zip"),
    "an answer of ours": ask("/-/health"),
}


@pytest.mark.parametrize("name", NOTHING)
async def test_who_gets_nothing_of_an_artifact_is_not_recorded(
    both: Both, taken: list[tuple[float, str]], name: str
) -> None:
    await both.cold.talk(ask(FILE))
    for _ in range(4):
        await both.warm.talk(NOTHING[name])
    assert [line["outcome"] for line in told(both, taken)] == ["MISS"]


async def test_a_part_is_recorded_with_its_bytes(both: Both, taken: list[tuple[float, str]]) -> None:
    await both.cold.talk(ask(FILE, "Range: bytes=1-2"))
    (line,) = told(both, taken)
    assert (line["status"], line["bytes"], "whole" in line) == (206, 2, False)


async def test_nothing_is_made_ready_where_no_record_is_kept(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirror.web.proxy.handed", None)
    await both.heat(ask(FILE))
    await both.same(ask(FILE))
    (kept,) = [kept for known, kept in both.warm.hot._order.items() if b"thing-1.zip" in known[1]]
    assert kept.reply.handed is None  # type: ignore[attr-defined]


async def test_a_refusal_by_the_policy_is_recorded_with_its_rule(
    both: Both, taken: list[tuple[float, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise Refused("thing 1 is 2 days old; minimum age 7 days", "cooldown")

    monkeypatch.setattr(Engine, "answer", refuse)
    (answer,) = await both.cold.talk(ask(FILE))
    assert answer.startswith(b"HTTP/1.1 403")
    (line,) = told(both, taken)
    assert (line["event"], line["status"], line["outcome"]) == ("refused", 403, "REFUSED")
    assert line["policy"] == {"rule": "cooldown", "allowed": False}


async def test_other_refusals_are_none_of_the_policys(
    both: Both, taken: list[tuple[float, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise Refused("not on the list")

    monkeypatch.setattr(Engine, "answer", refuse)
    await both.cold.talk(ask(FILE))
    assert told(both, taken) == []


async def test_the_query_is_not_recorded(both: Both, taken: list[tuple[float, str]]) -> None:
    both.world.origin.route("/plain", body=b"x")
    await both.cold.talk(ask("/o/plain?token=swordfish&plain=herring"))
    (line,) = told(both, taken)
    assert "swordfish" not in str(line)
    assert "herring" not in str(line)


def test_the_decision_and_the_first_time_are_told() -> None:
    request = Request("GET", "/files/x/six-1.0.tar.gz", token="ci")  # noqa: S106  its name
    known = handed(Mirror("pypi", "pypi"), request, "", Decision("allow", True, 1_795_694_400.25))
    assert known is not None
    line = json.loads("{" + known.known("ab" * 32).members("::1", 200, 5, "HIT", whole=False) + "}")
    assert line["token"] == "ci"  # noqa: S105  its name
    assert line["policy"] == {"rule": "allow", "allowed": True}
    assert line["first_seen"] == "2026-11-26T12:00:00.250Z"
    assert line["sha256"] == "ab" * 32
    assert line["whole"] is False


hostile = st.text(st.characters() | st.sampled_from('"\\\n\r\u2028\x00{}:,%'), max_size=40)


@given(file=hostile, client=hostile, token=hostile, path=st.booleans())
def test_no_name_or_address_breaks_a_line(file: str, client: str, token: str, path: bool) -> None:
    from urllib.parse import quote

    address = f"/pub/{quote(file, errors='replace')}" if path else f"/pub/{file}"
    known = handed(Mirror("o", "http"), Request("GET", address, token=token), "ab" * 32)
    if known is None:
        return
    ((line,), _) = Link().lines([(0.0, known.members(client, 200, 1, "HIT", whole=True))])
    assert b"\n" not in line
    assert b"\r" not in line
    assert line.isascii()
    assert read(line) is not None
    told = json.loads(line)
    assert (told["client"], told.get("token", "")) == (client, token)
    assert told["sha256"] == "ab" * 32
    assert replace(known).constant.count('"sha256":') == 1 or '"sha256":' in file


BLANK = (("http", "/pub/%20"), ("http", "/%1C"), ("npm", "/%20/-/x-1.tgz"), ("npm", "/@a/%E2%80%A8/-/x-1.tgz"))


@pytest.mark.parametrize(("ecosystem", "path"), BLANK)
def test_what_has_a_blank_for_a_name_is_no_artifact(ecosystem: str, path: str) -> None:
    """No package URL can name it: to ask for one was an error of the mirror's own."""
    assert handed(Mirror("o", ecosystem), Request("GET", path), "ab" * 32) is None
