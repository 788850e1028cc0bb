"""`mirror warm`: which addresses reach the server, of files and of standard input."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import Played, job

WARM = "POST /-/api/warm"
FILE = {"filename": "six-1.16.0-py3-none-any.whl", "url": "/pypi/files/six-1.16.0-py3-none-any.whl", "hashes": {}}


@pytest.fixture(autouse=True)
def _server(played: Played) -> None:
    played.answers[WARM] = job()
    played.answers["GET /-/api/stats"] = {"mirrors": {"pypi": {"ecosystem": "pypi"}, "npm": {"ecosystem": "npm"}}}
    played.answers["GET /pypi/simple/six/"] = {"files": [FILE]}


def test_addresses_as_they_are(played: Played) -> None:
    assert played.run("warm", "/o/a", "http://upstream.test/b", "/o/a") == (0, "warm: 2 of 2 good, 1.0kB\n", "")
    assert played.asked == [(WARM, {"urls": ["/o/a", "http://upstream.test/b"]})]


def test_files_of_each_kind_and_what_is_left_out(played: Played, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "requirements.txt").write_text("-r deep/more.txt\n-e .\n")
    (tmp_path / "deep/more.txt").write_text("six==1.16.0\n-r ../requirements.txt\n")  # a circle
    packages = {f"node_modules/{name}": {"link": True} for name in "abcdefg"} | {"node_modules/x": {"version": "1.0.0"}}
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": packages}))
    code, _, err = played.run(
        "warm", "-r", str(tmp_path / "requirements.txt"), "-r", str(tmp_path / "package-lock.json")
    )
    assert (code, err) == (
        0,
        "skipped, a link to a folder of the project: a, b, c, d, e and 2 more\n"
        "skipped, editable: it is not downloaded from an index: .\n",
    )
    found = ["/pypi/simple/six/", FILE["url"], "/npm/x", "/npm/x/-/x-1.0.0.tgz"]
    assert played.bodies(WARM) == [{"urls": found}]


@pytest.mark.parametrize(
    ("text", "named", "urls"),
    [
        (b"/o/a\n/o/b\n", (), ["/o/a", "/o/b"]),
        (b"\xef\xbb\xbfsix\r\n", (), ["/pypi/simple/six/", FILE["url"]]),
        (b"/o/a?x=1\n", ("--format", "urls"), ["/o/a?x=1"]),
    ],
)
def test_standard_input(
    played: Played, monkeypatch: pytest.MonkeyPatch, text: bytes, named: tuple[str, ...], urls: list[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text), isatty=lambda: False))
    assert played.run("warm", "-r", "-", *named)[0] == 0
    assert played.bodies(WARM) == [{"urls": urls}]


def test_a_dry_run_tells_the_addresses(played: Played) -> None:
    assert played.run("warm", "/o/a", "/o/b", "--dry-run") == (0, "/o/a\n/o/b\n", "")
    assert json.loads(played.run("warm", "/o/a", "--dry-run", "--json")[1]) == {"urls": ["/o/a"]}
    assert played.asked == []


def test_many_addresses_are_several_jobs(played: Played, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("\n".join(f"/o/{number}" for number in range(10_001)))
    code, out, _ = played.run("warm", "-r", str(tmp_path / "urls.txt"), "--json")
    assert (code, [json.loads(line) for line in out.splitlines()]) == (0, [job(), job()])
    assert [len(body["urls"]) for body in played.bodies(WARM)] == [10_000, 1]


def test_what_is_not_to_be_found_is_1(played: Played, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six==9\nmissing==1\n")
    code, out, err = played.run("warm", "-r", str(tmp_path / "requirements.txt"), "/o/a")
    assert (code, out) == (1, "warm: 2 of 2 good, 1.0kB\n")
    assert err == (
        "not found: six==9: the index has no version that fits ==9\n"
        "not found: missing==1: GET /pypi/simple/missing/ is not there\n"
    )


def test_nothing_is_nothing(played: Played, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    assert played.run("warm", "-r", str(tmp_path / "requirements.txt")) == (0, "", "nothing to fetch\n")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("package-lock.json", b"{", "package-lock.json: not JSON"),
        ("uv.lock", b"[[", "uv.lock: not TOML"),
        ("requirements.txt", b"\xff\xfe", "not UTF-8"),
        ("requirements.txt", b"-r none.txt", "none.txt: No such file"),
    ],
)
def test_files_that_cannot_be_read_are_2(played: Played, tmp_path: Path, name: str, text: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(text)
    code, _, err = played.run("warm", "-r", str(tmp_path / name))
    assert (code, told in err, played.asked) == (2, True, [])
