"""`mirror ls`: pages by cursor, a limit, and a table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Played

ENTRIES = "GET /-/api/entries"


def hasty(asked: dict[str, str]) -> dict[str, Any]:
    """A server that has no time to find more than one of three in a page, and in the last one finds none."""
    begin = int(asked.get("cursor", 0))
    entries = [entry(begin)] if begin < 3 else []
    return {"entries": entries, "cursor": str(begin + 1) if begin < 3 else None, "complete": begin == 3}


def test_pages_that_are_cut_short_make_one_list(played: Played) -> None:
    played.answers[ENTRIES] = hasty
    code, out, err = played.run("ls", "--search", "x")
    assert (code, err) == (0, "")
    assert [line.split()[-1] for line in out.splitlines()] == ["key", "/o/0", "/o/1", "/o/2"]


def entry(number: int, **more: Any) -> dict[str, Any]:
    return {
        "key": f"/o/{number}",
        "mirror": "o",
        "url": f"http://upstream.test/{number}",
        "status": 200,
        "size": 1500,
        "type": "text/plain",
        "stored_at": 1000.0,
        "age": 90.0,
        "ttl": 30.0,
        "state": "fresh",
        "tags": [],
        "digest": None,
        "last_access": 1080.0,
        "hits": 7,
    } | more  # fmt: skip


def paged(total: int) -> Any:
    """A server with so many entries."""

    def answer(asked: dict[str, str]) -> dict[str, Any]:
        begin = int(asked.get("cursor", 0))
        end = min(total, begin + int(asked["limit"]))
        more = str(end) if end < total else None
        return {"entries": [entry(number) for number in range(begin, end)], "cursor": more, "complete": True}

    return answer


def test_a_row_for_each_entry(played: Played) -> None:
    never = entry(2, ttl=None, hits=None, last_access=None, state="negative", key="/o/\x07bell")
    lasting = entry(3, ttl=None)
    played.answers[ENTRIES] = {"entries": [entry(1), never, lasting], "cursor": None, "complete": True}
    assert played.run("ls") == (
        0,
        "state      size    age     ttl  hits  used  key\n"
        "fresh     1.5kB  1m30s     30s     7   10s  /o/1\n"
        "negative  1.5kB  1m30s       -     -     -  /o/\ufffdbell\n"
        "fresh     1.5kB  1m30s  always     7   10s  /o/3\n",
        "",
    )


def test_filters_reach_the_server(played: Played) -> None:
    played.answers[ENTRIES] = paged(0)
    filters = ("--mirror", "o", "--tag", "t", "--search", "S", "--state", "stale", "--order", "used", "--limit", "7")
    code, out, err = played.run("ls", "/o/p", *filters)
    assert (code, out, err) == (0, "", "nothing that is stored fits\n")
    assert played.bodies(ENTRIES) == [
        {"prefix": "/o/p", "mirror": "o", "tag": "t", "search": "S", "state": "stale", "order": "used", "limit": "7"}
    ]


@pytest.mark.parametrize(
    ("arguments", "shown", "limits", "more"),
    [
        ([], 100, ["100"], True),
        (["--limit", "5"], 5, ["5"], True),
        (["--limit", "1500"], 1500, ["1000", "500"], True),
        (["--limit", "9000"], 2345, ["1000", "1000", "1000"], False),
        (["--all"], 2345, ["1000", "1000", "1000"], False),
    ],
)
def test_pages_are_asked_for_until_there_are_enough(
    played: Played, arguments: list[str], shown: int, limits: list[str], more: bool
) -> None:
    played.answers[ENTRIES] = paged(2345)
    code, out, err = played.run("ls", *arguments)
    assert (code, [line.split()[-1] for line in out.splitlines()[1:]]) == (0, [f"/o/{n}" for n in range(shown)])
    assert [body["limit"] for body in played.bodies(ENTRIES)] == limits
    assert err == "there are more: --all, or --limit N\n" * more


def test_json_is_what_the_server_answers_a_page_a_line(played: Played) -> None:
    played.answers[ENTRIES] = paged(1001)
    pages = [json.loads(line) for line in played.run("ls", "--all", "--json")[1].splitlines()]
    assert pages == [paged(1001)({"limit": "1000"}), paged(1001)({"limit": "1", "cursor": "1000"})]


def test_an_unfinished_count_is_told(played: Played) -> None:
    played.answers[ENTRIES] = {"entries": [], "cursor": None, "complete": False, "as_of": None}
    assert "still being looked through" in played.run("ls", "--order", "largest")[2]
