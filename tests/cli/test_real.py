"""The commands before a real server: `--json` is what its API answers, and what they do is done."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mirror.cli import main
from tests.instruments.process import Abroad, origin_process
from tests.instruments.server import ROOT, Served, http_mirror, served
from tests.instruments.tls import certified

FRESH = "cc=max-age=86400"
MIRROR = (sys.executable, "-m", "mirror")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MIRROR_SERVER", "MIRROR_ADMIN_TOKEN", "MIRROR_CONFIG", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def origin() -> Iterator[Abroad]:
    with origin_process() as origin:
        yield origin


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, origin: Abroad) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("cli"), http_mirror(origin.address)) as server:
        yield server
        assert "Traceback" not in server.log()


class Line:
    """The command line, set to the server by its configuration."""

    def __init__(self, server: Served, capsys: pytest.CaptureFixture[str]) -> None:
        self.server = server
        self.config = ("--config", str(server.folder / "config.toml"))
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str]:
        code = main([*arguments, *self.config])
        return code, self._capsys.readouterr().out

    def json(self, *arguments: str) -> Any:
        code, out = self.run(*arguments, "--json")
        assert (code, out.count("\n")) == (0, 1)
        return json.loads(out)

    def api(self, path: str) -> Any:
        return json.loads(self.get(f"/-/api{path}"))

    def get(self, path: str) -> bytes:
        connection = self.server.connect()
        connection.request("GET", path)
        body = connection.getresponse().read()
        connection.close()
        return body

    def stored(self, name: str, size: int = 1000) -> str:
        target = f"/o/obj/{name}/{size}?{FRESH}"
        self.get(target)
        return target


@pytest.fixture
def line(server: Served, capsys: pytest.CaptureFixture[str]) -> Line:
    return Line(server, capsys)


def test_stats(line: Line) -> None:
    line.stored("stats")
    told, api = line.json("stats"), line.api("/stats")
    moving = dict.fromkeys(("uptime", "cache", "upstreams"))
    assert (told | moving, told.keys()) == (api | moving, api.keys())
    code, out = line.run("stats")
    assert (code, "\x1b" in out) == (0, False)
    assert re.search(r"^o +\d+ +\d+%", out, re.MULTILINE)
    assert "cache: " in out


def test_purge_removes(line: Line) -> None:
    one, other = line.stored("purged"), line.stored("kept")
    would = line.json("purge", one, "--dry-run")
    assert (would["matched"], would["purged"], would["entries"]) == (1, 0, [one])
    code, out = line.run("purge", one)
    assert (code, out.startswith("1 entry removed, ")) == (0, True)
    assert line.run("purge", one) == (0, "0 entries removed, 0B\n")
    assert line.json("purge", "--glob", "/o/obj/kept/*", "--soft")["purged"] == 1
    assert line.json("purge", "--mirror", "o", "--dry-run", "--yes")["entries"].count(other) == 1


def test_ls(line: Line) -> None:
    targets = [line.stored(f"listed{number}", 100 + number) for number in range(3)]
    told, api = line.json("ls", "/o/obj/listed"), line.api("/entries?prefix=/o/obj/listed")
    assert [entry["key"] for entry in told["entries"]] == [entry["key"] for entry in api["entries"]] == targets
    assert told.keys() == api.keys()
    out = line.run("ls", "/o/obj/listed")[1].splitlines()
    assert [row.split()[-1] for row in out] == ["key", *targets]
    pages = line.run("ls", "/o/obj/listed", "--limit", "2", "--json")[1].splitlines()
    assert [entry["key"] for entry in json.loads(pages[0])["entries"]] == targets[:2]
    largest = line.json("ls", "--order", "largest", "--limit", "1")["entries"]
    assert largest == [] or largest[0]["size"] >= 102


def test_explain(line: Line) -> None:
    target = line.stored("explained")
    told, api = line.json("explain", target), line.api(f"/explain?url={quote(target)}")
    for both in (told, api):
        for moving in ("entry", "freshness", "upstream_states", "reason"):
            both[moving] = both[moving] and type(both[moving])
    assert told == api
    out = line.run("explain", target)[1]
    assert "A request now  would be answered from the store\n" in out
    assert "What it is  a response on the mirror /o/ (http)\n" in out
    assert "A request now  would be fetched" in line.run("explain", "/o/obj/cold/1")[1]


def test_what_the_server_refuses_is_wrong_usage(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["purge", "/nowhere/x", *line.config]) == 2
    assert "'/nowhere/x' is not below a mirror (/o/)" in capsys.readouterr().err


def test_jobs(line: Line) -> None:
    assert line.json("jobs") == line.api("/jobs") == {"jobs": []}
    assert line.run("jobs", "none")[0] == 1


def test_fills_as_they_run(line: Line, origin: Abroad) -> None:
    path = "/obj/held/3000000"
    with socket.create_connection(("127.0.0.1", line.server.port)) as client:
        client.sendall(f"GET /o{path}?hold=1000000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert client.recv(100)
        told = line.json("fills")["fills"]
        assert [(fill["key"], fill["total"]) for fill in told] == [(f"/o{path}?hold=1000000", 3_000_000)]
        assert told[0].keys() == line.api("/fills")["fills"][0].keys()
        out = line.run("fills")[1].splitlines()
        assert (len(out), "3.0MB" in out[1]) == (2, True)
        watching = subprocess.Popen(
            [*MIRROR, "fills", "--watch", "--json", *line.config], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert watching.stdout
        assert len(json.loads(watching.stdout.readline())["fills"]) == 1
        origin.release(path)
        while client.recv(65536):
            pass
        while json.loads(watching.stdout.readline())["fills"]:
            pass
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0
        watching.stdout.close()


def typed(line: Line, arguments: tuple[str, ...], answer: bytes, **env: str) -> tuple[int, str]:
    """The command on a terminal, where that is typed; its exit code and what is on the screen then."""
    ours, theirs = pty.openpty()
    command = [*MIRROR, *arguments, *line.config]
    running = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=os.environ | {"TERM": "xterm"} | env
    )
    os.close(theirs)
    os.write(ours, answer)
    screen = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        screen += piece
    os.close(ours)
    return running.wait(10), screen.decode()


@pytest.mark.parametrize(("answer", "code", "left"), [(b"n\n", 1, 1), (b"y\n", 0, 0)])
def test_a_person_is_asked(line: Line, answer: bytes, code: int, left: int) -> None:
    target = line.stored("asked")
    ended, screen = typed(line, ("purge", "--prefix", "/o/obj/asked/"), answer)
    assert (ended, target in screen, "Remove it? [y/N]" in screen) == (code, True, True)
    assert line.json("purge", target, "--dry-run")["matched"] == left


def test_a_terminal_has_colours_unless_nobody_wants_them(line: Line) -> None:
    assert "\x1b[1m" in typed(line, ("stats",), b"")[1]
    assert "\x1b[3" not in typed(line, ("stats",), b"", NO_COLOR="1")[1]


def test_a_reader_that_leaves_is_no_fault(line: Line) -> None:
    piped = ["sh", "-c", '"$@" | true', "sh", *MIRROR, "stats", *line.config]
    assert subprocess.run(piped, capture_output=True, text=True, cwd=ROOT, check=True).stderr == ""


def test_a_unix_socket(tmp_path: Path, origin: Abroad, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[server]\nlisten = "unix:socket"\n{http_mirror(origin.address)}')
    with (tmp_path / "log").open("wb") as log:
        serving = subprocess.Popen([*MIRROR, "serve", "--config", str(config)], stdout=log, stderr=log, cwd=ROOT)
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "socket").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)  # another process
        assert main(["stats", "--json", "--config", str(config)]) == 0
        assert json.loads(capsys.readouterr().out)["mirrors"].keys() == {"o"}
        assert main(["purge", "--everything", "--yes", "--server", f"unix:{tmp_path / 'socket'}"]) == 0
    finally:
        serving.terminate()
        serving.wait(40)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_https_and_a_token(
    tmp_path: Path, origin: Abroad, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = certified(tmp_path, "server")
    lines = f'tls_cert = "{certificate}"\ntls_key = "{key}"\n[admin]\ntoken = "file:token"\n'
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/token").write_text("the-token\n")
    with served(tmp_path / "mirror", lines + http_mirror(origin.address), certificate=certificate) as server:
        purge = ["purge", "--prefix", "/o/"]
        assert main([*purge, "--config", str(server.folder / "config.toml")]) == 0  # its certificate, its token
        named = ["--server", server.address]
        assert main([*purge, *named]) == 1
        assert "certificate is not trusted" in capsys.readouterr().err
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert main([*purge, *named]) == 1
        assert "a token of role operate or more is needed" in capsys.readouterr().err
        monkeypatch.delenv("SSL_CERT_FILE")
        monkeypatch.setenv("MIRROR_ADMIN_TOKEN", "the-token")
        assert main([*purge, *named, "--ca-file", str(certificate)]) == 0
