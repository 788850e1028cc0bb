"""A real server keeps the record: one process or several, killed, reloaded, with a disk that is full."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mirror.audit import chain
from tests.instruments.clock import until
from tests.instruments.origin import origin_process
from tests.instruments.server import ROOT, Served, served

FRESH = "cc=max-age=86400"
SECRET = "swordfish-0123456789"  # noqa: S105


def config(upstream: str, more: str = "", audit: str = "enabled = true") -> str:
    return f"""
[cache]
min_free = "1MB"
[audit]
{audit}
[mirrors.o]
ecosystem = "http"
upstream = "{upstream}"
{more}
"""


def get(server: Served, path: str, times: int = 1, **fields: str) -> None:
    """On a connection for each; a few hits are prepared replies."""
    for _ in range(times):
        connection = server.connect()
        for _ in range(4):
            connection.request("GET", path, headers=fields)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
        connection.close()


def records(server: Served) -> list[dict[str, Any]]:
    """The lines but those that a kill has cut, or that are being written now."""
    folder = server.cache / "audit"
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    return [json.loads(line) for line in lines if chain.read(line)]


def given(server: Served) -> list[dict[str, Any]]:
    return [told for told in records(server) if told["event"] == "given"]


def verified(server: Served) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "mirror",
        "audit",
        "verify",
        "--json",
        "--config",
        str(server.folder / "config.toml"),
    ]
    told: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout)
    return told


@pytest.mark.parametrize("workers", [1, 3])
def test_each_artifact_is_recorded_once_whoever_answers(tmp_path: Path, workers: int) -> None:
    with origin_process() as origin, served(tmp_path, config(origin.url()), workers) as server:
        for name in ("a", "b", "c"):
            get(server, f"/o/obj/{name}/1000?{FRESH}", 5)
        get(server, f"/o/obj/large/300000?{FRESH}", 5)
        server.stop()
        lines = given(server)
        assert len(lines) == 4 * 5 * 4
        assert [each["event"] for each in records(server)].count("start") == workers
        assert [each["event"] for each in records(server)].count("stop") == workers
        assert {each["outcome"] for each in lines} == {"MISS", "HIT"}
        assert all(len(each["sha256"]) == 64 for each in lines)
        assert verified(server)["wrong"] == 0
        if workers > 1:
            assert len({each["process"] for each in records(server) if each["event"] == "start"}) == workers


@pytest.mark.parametrize("workers", [1, 3])
def test_what_was_answered_a_moment_ago_is_there_after_a_kill(tmp_path: Path, workers: int) -> None:
    with origin_process() as origin:
        with served(tmp_path, config(origin.url()), workers) as server:
            for _ in range(3):
                before = len(given(server))
                get(server, f"/o/obj/a/1000?{FRESH}", 5)
                until(lambda: len(given(server)) == before + 20)  # noqa: B023  called at once
                get(server, f"/o/obj/a/1000?{FRESH}", 5)
                server.kill()
                assert verified(server)["wrong"] == 0
                server.start()
        assert verified(server)["wrong"] == 0


def test_without_it_nothing_is_written(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path, config(origin.url(), audit="")) as server:
        get(server, f"/o/obj/a/1000?{FRESH}")
        assert not (server.cache / "audit").exists()


def test_a_folder_that_cannot_be_written_stops_no_server(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    audit = 'enabled = true\npath = "file/audit"'
    with origin_process() as origin, served(tmp_path, config(origin.url(), audit=audit)) as server:
        get(server, f"/o/obj/a/1000?{FRESH}")
        assert server.log().count("what is handed out cannot be recorded") == 1


def test_the_name_of_the_token_is_recorded_and_no_secret(tmp_path: Path) -> None:
    from hashlib import sha256

    digest = sha256(SECRET.encode()).hexdigest()
    token = f'access = "token"\n[admin.tokens.ci]\nrole = "read"\nhash = "sha256:{digest}"'
    with origin_process() as origin, served(tmp_path, config(origin.url(), token)) as server:
        get(server, f"/o/obj/a/1000?{FRESH}", Authorization=f"Bearer {SECRET}")
        server.stop()
        assert {each["token"] for each in given(server)} == {"ci"}
        text = "".join(path.read_text() for path in (server.cache / "audit").glob("*"))
        assert SECRET not in text
        assert digest not in text


def test_it_is_no_stranger_to_fsck_and_waits_for_a_restart_to_change(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path, config(origin.url())) as server:
        get(server, f"/o/obj/a/1000?{FRESH}")
        path = server.folder / "config.toml"
        path.write_text(path.read_text().replace("enabled = true", "enabled = false"))
        os.kill(server.pid, signal.SIGHUP)
        until(lambda: "only a restart puts in force: audit.enabled" in server.log())
        get(server, f"/o/obj/a/1000?{FRESH}")
        server.stop()
        assert len(given(server)) == 8
        command = [sys.executable, "-m", "mirror", "fsck", "--repair", "--config", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert (done.returncode, done.stdout.endswith("nothing wrong\n")) == (0, True), done.stdout
        assert len(given(server)) == 8
