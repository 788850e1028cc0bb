"""`mirror held`: what the policy keeps back, as a table."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.conftest import Played

HELD = "GET /-/api/held"


def held(number: int, **more: Any) -> dict[str, Any]:
    return {
        "address": f"/pypi/files/{number}",
        "package": "six",
        "version": f"1.{number}",
        "file": f"six-1.{number}.tar.gz",
        "published": 1.0,
        "first_seen": 1.0,
        "rule": "cooldown",
        "allowed": False,
        "enforced": True,
        "reason": "too young",
        "until": 1_800_000_000.0,
        "dated": "origin",
    } | more  # fmt: skip


def paged(total: int) -> Any:
    def answer(asked: dict[str, str]) -> dict[str, Any]:
        begin = int(asked.get("cursor", 0))
        end = min(total, begin + int(asked["limit"]))
        rows = [held(number) for number in range(begin, end)]
        return {"held": rows, "cursor": str(end) if end < total else None, "complete": True}

    return answer


def test_a_row_for_each_with_rule_and_until_when(played: Played) -> None:
    rows = [held(1), held(2, until=None, enforced=False, version="")]
    played.answers[HELD] = {"held": rows, "cursor": None, "complete": True}
    code, out, err = played.run("held", "pypi")
    assert (code, err) == (0, "")
    head, one, two = out.splitlines()
    assert head.split() == ["rule", "until", "package", "version", "reason"]
    assert one.split() == ["cooldown", "2027-01-15", "08:00", "UTC", "six", "1.1", "too", "young"]
    assert two.split() == ["cooldown", "(audit)", "-", "six", "six-1.2.tar.gz", "too", "young"]
    assert played.asked == [(HELD, {"mirror": "pypi", "limit": "100"})]


def test_pages_up_to_the_limit(played: Played) -> None:
    played.answers[HELD] = paged(2500)
    _, out, err = played.run("held", "pypi", "--limit", "2200")
    assert len(out.splitlines()) == 2201
    assert "there are more" in err


def test_nothing(played: Played) -> None:
    played.answers[HELD] = paged(0)
    assert "nothing" in played.run("held", "pypi")[2]


def test_as_json(played: Played) -> None:
    played.answers[HELD] = paged(3)
    assert len(json.loads(played.run("held", "pypi", "--json")[1])["held"]) == 3
