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
    "learns": [],
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
What it is  an index on the mirror /pypi/ (pypi)
Stored  1.5kB of text/plain, status 200, 1m30s old, fresh
Its freshness  90 s of 600 s
Header fields  etag: "x"
By the rule  fresh for 10m, then still used for 1d, used for 30d when upstreams fail
Verified by  sha256:aa
Would ask  http://a.test/simple/six/
Else  http://b.test/simple/six/
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
        "What it is  a file on the mirror /pypi/ (pypi)",
        "Stored  nothing",
    ]


def test_what_is_answered_without_store_and_upstream(played: Played) -> None:
    nothing = dict.fromkeys(("entry", "freshness", "digest", "fill", "rule"))
    there = {"decision": "redirect", "redirect": "/pypi/simple/six/", "reason": "the canonical name is another"}
    played.answers[EXPLAIN] = TOLD | nothing | there | {"class": "", "key": "", "upstreams": [], "upstream_states": []}
    assert played.run("explain", "/x")[1].splitlines()[1:] == [
        "A request now  would be sent to the canonical name",
        "Why  the canonical name is another",
        "Redirected to  /pypi/simple/six/",
        "What it is  nothing that could be stored on the mirror /pypi/ (pypi)",
    ]


def test_rules_of_other_kinds(played: Played) -> None:
    rule = {"ttl": None, "grace": 0.0, "keep": None, "negative_ttl": 60.0, "store": True, "immutable": False}
    played.answers[EXPLAIN] = TOLD | {"rule": rule, "learns": ["/npm/x"]}
    out = played.run("explain", "/x")[1]
    assert (
        "By the rule  as fresh as the upstream says, used for ever when upstreams fail, "
        "what is not there is remembered for 1m\n"
    ) in out
    assert "Would read first  /npm/x\n" in out
    for more, said in (({"immutable": True}, "never changes"), ({"store": False}, "never stored")):
        played.answers[EXPLAIN] = TOLD | {"rule": rule | more}
        assert f"By the rule  {said}\n" in played.run("explain", "/x")[1]


def test_json_is_what_the_server_answers(played: Played) -> None:
    played.answers[EXPLAIN] = TOLD
    assert json.loads(played.run("explain", "/x", "--json")[1]) == TOLD
