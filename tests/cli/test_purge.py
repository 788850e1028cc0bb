"""`mirror purge`: what is asked of the server, when the person is asked, and what is said."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from tests.cli.conftest import Played, job

PURGE = "POST /-/api/purge"


def purged(body: dict[str, Any], **more: Any) -> dict[str, Any]:
    gone = {"purged": 0, "bytes": 2000} if body.get("dry_run") else {"purged": 3, "bytes": 2000}
    told = {"matched": 3, "in_flight": 0, "soft": body["soft"], "dry_run": body.get("dry_run", False), "job": None}
    return told | gone | {"entries": ["/o/a", "/o/b", "/o/\x1b[2Jc"]} | more


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def typed(patch: pytest.MonkeyPatch, line: str = "y\n") -> None:
    """Somebody sits at a terminal, and types that."""
    patch.setattr(sys, "stdin", Terminal(line))
    patch.setattr(sys.stdout, "isatty", lambda: True)


def test_all_that_can_be_named_reaches_the_server(played: Played) -> None:
    played.answers[PURGE] = purged
    named = ("--prefix", "/o/p/", "--glob", "/o/*", "--tag", "t", "--tag", "u", "--purl", "pkg:pypi/six")
    code, out, _ = played.run("purge", "/o/a", "/o/b", *named, "--mirror", "o", "--everything", "--soft", "--yes")
    assert (code, out) == (0, "3 entries expired\n")
    assert played.bodies(PURGE) == [
        {
            "urls": ["/o/a", "/o/b"],
            "prefixes": ["/o/p/"],
            "globs": ["/o/*"],
            "tags": ["t", "u"],
            "purls": ["pkg:pypi/six"],
            "mirrors": ["o"],
            "everything": True,
            "soft": True,
            "dry_run": False,
        }
    ]


def test_a_script_that_names_what_it_means_is_not_asked(played: Played) -> None:
    played.answers[PURGE] = purged
    for named in (["/o/a"], ["--prefix", "/o/"], ["--glob", "/o/*"], ["--tag", "t"], ["--purl", "pkg:pypi/six"]):
        assert played.run("purge", *named)[:2] == (0, "3 entries removed, 2.0kB\n")
    assert [body["dry_run"] for body in played.bodies(PURGE)] == [False] * 5


@pytest.mark.parametrize("named", [["--everything"], ["--mirror", "o"], ["--everything", "--soft"]])
def test_a_script_that_means_everything_has_to_say_yes(played: Played, named: list[str]) -> None:
    played.answers[PURGE] = purged
    for more in ([], ["--json"]):
        code, out, err = played.run("purge", *named, *more)
        assert (code, out, played.asked) == (2, "", [])
        assert "takes --yes" in err
    assert played.run("purge", *named, "--dry-run")[0] == 0
    assert played.run("purge", *named, "--yes")[0] == 0


def test_on_a_terminal_what_would_go_is_shown_and_asked_for(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch)
    played.answers[PURGE] = purged
    code, out, _ = played.run("purge", "--prefix", "/o/")
    assert code == 0
    assert out == (
        "  /o/a\n  /o/b\n  /o/\ufffd[2Jc\n3 entries would be removed, 2.0kB\n"
        "Remove it? [y/N] 3 entries removed, 2.0kB\n"
    )
    assert [body["dry_run"] for body in played.bodies(PURGE)] == [True, False]


@pytest.mark.parametrize("line", ["n\n", "\n", "", "yess\n"])
def test_nothing_goes_without_a_yes(played: Played, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, line)
    played.answers[PURGE] = purged
    assert played.run("purge", "--everything")[0] == 1
    assert [body["dry_run"] for body in played.bodies(PURGE)] == [True]


def test_nobody_is_asked_about_nothing(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch)
    played.answers[PURGE] = lambda body: purged(body, matched=0, bytes=0, entries=[])
    assert played.run("purge", "/o/a")[:2] == (0, "0 entries would be removed, 0B\n")


@pytest.mark.parametrize("option", ["--yes", "--json", "--dry-run"])
def test_who_says_so_is_not_asked(played: Played, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch)
    played.answers[PURGE] = purged
    code, out, _ = played.run("purge", "/o/a", option)
    assert (code, "[y/N]" in out, len(played.asked)) == (0, False, 1)


def test_json_is_what_the_server_answers(played: Played) -> None:
    played.answers[PURGE] = purged
    _, out, _ = played.run("purge", "/o/a", "--json")
    assert json.loads(out) == purged({"soft": False})


def test_one_that_takes_longer_is_followed(played: Played) -> None:
    played.answers[PURGE] = lambda body: purged(body, job="j1", matched=1, purged=1)
    looks = [job("running", kind="purge"), job("running", kind="purge"), job(kind="purge", result=purged({"soft": 0}))]
    played.answers["GET /-/api/jobs/j1"] = lambda _: looks.pop(0)
    assert played.run("purge", "--everything", "--yes")[:2] == (0, "3 entries removed, 2.0kB\n")
    assert looks == []
    looks.append(job("failed", kind="purge", error="the disk is full"))
    code, _, err = played.run("purge", "--everything", "--yes")
    assert (code, err) == (1, "job j1 failed: the disk is full\n")


def test_downloads_that_are_not_stored_are_told(played: Played) -> None:
    played.answers[PURGE] = lambda body: purged(body, in_flight=2)
    said = played.run("purge", "/o/a")[1]
    assert said == "3 entries removed, 2.0kB; 2 running downloads disowned: not stored when they end\n"
