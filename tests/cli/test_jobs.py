"""Commands that begin jobs, look at them, follow them and stop them; and `mirror reload`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Played, job

REFRESH = "POST /-/api/refresh"
JOB = "GET /-/api/jobs/j1"
FAILED = [{"url": "/o/b", "reason": "not there"}]


def test_a_job_is_followed_to_its_end(played: Played) -> None:
    played.answers[REFRESH] = job("running", 0, kind="refresh")
    looks = [job("running", 1, kind="refresh"), job(kind="refresh")]
    played.answers[JOB] = lambda _: looks.pop(0)
    assert played.run("refresh", "/o/a", "/o/b") == (0, "refresh: 2 of 2 good, 1.0kB\n", "")
    assert played.bodies(REFRESH) == [{"urls": ["/o/a", "/o/b"]}]


@pytest.mark.parametrize(
    ("end", "said", "more"),
    [
        (job(failed=1, failures=FAILED), "warm: 1 of 2 good, 1.0kB, 1 failed\n", "  /o/b: not there\n"),
        (job("stopped", 1), "warm: 1 of 2 good, 1.0kB; stopped\n", ""),
        (job("failed", 0, bytes=0, error="so it is"), "warm: 0 of 2 good; failed: so it is\n", ""),
    ],
)
def test_a_job_that_did_not_do_all_is_1(played: Played, end: dict[str, Any], said: str, more: str) -> None:
    played.answers["POST /-/api/warm"] = end
    assert played.run("warm", "/o/a", "/o/b") == (1, said, more)
    code, out, _ = played.run("warm", "/o/a", "--json")
    assert (code, json.loads(out)) == (1, end)


def test_who_does_not_wait_gets_the_id(played: Played) -> None:
    played.answers[REFRESH] = job("running", 0)
    assert played.run("refresh", "/o/a", "--no-wait") == (0, "job j1\n", "")
    assert json.loads(played.run("refresh", "/o/a", "--no-wait", "--json")[1]) == job("running", 0)


def test_jobs_are_listed_one_is_shown_and_stopped(played: Played) -> None:
    played.answers["GET /-/api/jobs"] = {"jobs": [job("running", 1, total=None, current="/o/a"), job(failed=1)]}
    assert played.run("jobs")[1] == (
        "id  kind  state    done  bytes  failed  took  at\n"
        "j1  warm  running     1  1.0kB       0     -  /o/a\n"
        "j1  warm  done      2/2  1.0kB       1    2s\n"
    )
    played.answers[JOB] = job(failed=1, failures=FAILED)
    code, out, err = played.run("jobs", "j1")
    assert (code, len(out.splitlines()), err) == (0, 2, "  /o/b: not there\n")
    assert played.run("jobs", "j1", "--follow")[0] == 1
    played.answers["DELETE /-/api/jobs/j1"] = job("stopped", 1)
    assert json.loads(played.run("jobs", "--stop", "j1", "--json")[1]) == job("stopped", 1)
    code, _, err = played.run("jobs", "j2")
    assert (code, err) == (1, "GET /-/api/jobs/j2 is not there\n")
    played.answers["GET /-/api/jobs"] = {"jobs": []}
    assert played.run("jobs") == (0, "", "no jobs\n")


def test_reload_tells_what_changed_and_what_takes_a_restart(played: Played) -> None:
    told = {"reloaded": True, "changed": ["mirrors.npm.ttl"], "restart": ["server.listen"]}
    played.answers["POST /-/api/reload"] = told
    assert played.run("reload") == (0, "reloaded: mirrors.npm.ttl\ntakes a restart: server.listen\n", "")
    assert json.loads(played.run("reload", "--json")[1]) == told
    played.answers["POST /-/api/reload"] = told | {"changed": [], "restart": []}
    assert played.run("reload")[1] == "reloaded: nothing has changed\n"
