"""`mirror explain`: a story."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.conftest import Played
from tests.cli.test_ls import entry

EXPLAIN = "GET /-/api/explain"
DOWN = {"name": "http://b.test", "mirrors": ["o"], "state": "down", "since": 1.0, "error": "no connection"}
TOLD: dict[str, Any] = {
    "url": "/pypi/simple/six/",
    "mirror": "pypi",
    "ecosystem": "pypi",
    "key": "/pypi/simple/six/",
    "class": "index",
    "upstreams": ["http://a.test/simple/six/", "http://b.test/simple/six/"],
    "rule": {"ttl": 600.0, "grace": 86400.0, "keep": 2592000.0, "negative_ttl": 0.0, "store": True, "immutable": False},
    "decision": "stale hit",
    "reason": "it is 3 minutes past its time, and within grace",
    "entry": entry(1) | {"headers": {"etag": '"x"'}, "blob_present": True},
    "freshness": {"age": 90, "lifetime": 600, "ttl": 510, "source": "rule", "arithmetic": "90 s of 600 s"},
    "digest": "sha256:aa",
    "fill": None,
    "upstream_states": [{**DOWN, "state": "up", "name": "http://a.test", "error": ""}, DOWN],
    "policy": None,
    "redirect": None,
    "error": None,
}


def test_it_reads_like_a_story(played: Played) -> None:
    played.answers[EXPLAIN] = TOLD
    assert played.run("explain", "/pypi/simple/six/") == (
        0,
        """/pypi/simple/six/
A request now  would be answered from the store, though stale, and renewed behind the scenes
Why  it is 3 minutes past its time, and within grace
What it is  an index of the mirror /pypi/ (pypi)
Stored  1.5kB of text/plain, status 200, 1m30s old, fresh
Its freshness  90 s of 600 s
Header fields  etag: "x"
By the rule  fresh for 10m, then still used for 1d, used when upstreams fail for 30d
Verified by  sha256:aa
Would ask  http://a.test/simple/six/
Then  http://b.test/simple/six/
But  upstream http://b.test is down: no connection
""",
        "",
    )
    assert played.bodies(EXPLAIN) == [{"url": "/pypi/simple/six/"}]


def test_what_is_not_stored_and_cannot_be_fetched(played: Played) -> None:
    nothing = dict.fromkeys(("entry", "freshness", "digest", "fill", "key", "rule"))
    refused = {"decision": "miss", "error": "the mirror is offline", "upstreams": [], "upstream_states": []}
    played.answers[EXPLAIN] = TOLD | nothing | refused | {"class": "file"}
    assert played.run("explain", "/x")[1].splitlines()[1:] == [
        "A request now  would be fetched from the upstream, streamed, and stored",
        "Why  it is 3 minutes past its time, and within grace",
        "But  the mirror is offline",
        "What it is  a file of the mirror /pypi/ (pypi)",
        "Stored  nothing",
    ]


def test_json_is_what_the_server_answers(played: Played) -> None:
    played.answers[EXPLAIN] = TOLD
    assert json.loads(played.run("explain", "/x", "--json")[1]) == TOLD
