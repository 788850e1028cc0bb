"""The server as a service: what it tells its supervisor, sockets that are passed on to it, and the unit's sandbox."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path

import pytest

from tests.instruments.server import ROOT, Served, http_mirror

UNITS = ROOT / "contrib" / "systemd"
MIRROR = http_mirror("http://127.0.0.1:9")
WORKERS = pytest.mark.parametrize("workers", [1, 3], ids=["one process", "three"])


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


class Supervisor:
    """The socket at which a service is heard."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(20)

    def hear(self, wanted: str) -> dict[str, str]:
        """The next message with that line; those about being alive are passed over, where another one is wanted."""
        while True:
            message = dict(line.split("=", 1) for line in self._socket.recv(4096).decode().splitlines())
            if wanted.split("=")[0] in message or "WATCHDOG" not in message:
                assert message.get(wanted.split("=")[0]) == wanted.split("=")[1], message
                return message

    def close(self) -> None:
        self._socket.close()


@contextmanager
def supervised(
    folder: Path, workers: int, program: list[str] | None = None, **more: str
) -> Iterator[tuple[Served, Supervisor]]:
    supervisor = Supervisor(folder)
    server = Served(folder / "mirror", MIRROR, workers)
    server.program = program or server.program
    server.environment = {"NOTIFY_SOCKET": str(supervisor.path), **more}
    server.start()
    try:
        yield server, supervisor
    finally:
        server.stop()
        supervisor.close()


@WORKERS
def test_a_service_says_that_it_is_ready_reads_its_configuration_again_and_stops(tmp_path: Path, workers: int) -> None:
    with supervised(tmp_path, workers) as (server, supervisor):
        assert supervisor.hear("READY=1")["STATUS"] == "serves"
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        server.signal(signal.SIGHUP)
        told = supervisor.hear("RELOADING=1")
        assert before <= int(told["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert supervisor.hear("READY=1")["STATUS"] == "serves"
        (server.folder / "config.toml").write_text("[mirrors.o]\nekosystem = 'http'\n")
        server.signal(signal.SIGHUP)
        supervisor.hear("RELOADING=1")
        assert "ekosystem: unknown key" in supervisor.hear("READY=1")["STATUS"]
        server.signal(signal.SIGTERM)
        supervisor.hear("STOPPING=1")


@WORKERS
def test_it_says_that_it_lives_at_half_the_time_that_it_is_given_for_that(tmp_path: Path, workers: int) -> None:
    with supervised(tmp_path, workers, WATCHDOG_USEC="2000000") as (_, supervisor):
        supervisor.hear("READY=1")
        supervisor.hear("WATCHDOG=1")
        heard = [time.monotonic()]
        for _ in range(3):
            supervisor.hear("WATCHDOG=1")
            heard.append(time.monotonic())
        between = [after - before for before, after in pairwise(heard)]
        assert max(between) > 0.8
        assert min(between) < 1.5


def test_it_says_nothing_of_that_where_another_process_is_meant(tmp_path: Path) -> None:
    with supervised(tmp_path, 1, WATCHDOG_USEC="200000", WATCHDOG_PID="1") as (server, supervisor):
        supervisor.hear("READY=1")
        server.signal(signal.SIGHUP)
        supervisor.hear("RELOADING=1")
        supervisor.hear("READY=1")
        server.signal(signal.SIGTERM)
        assert "WATCHDOG" not in supervisor._socket.recv(4096).decode()


IMPATIENT = (
    "import sys, mirror.server.workers as workers; workers.HUNG = 2; from mirror.cli import main; sys.exit(main())"
)


def test_a_worker_whose_event_loop_stands_still_is_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path, 3, [sys.executable, "-c", IMPATIENT]) as (server, _):
        before = server.workers()
        for victim in before[:2]:  # the holder, and another one
            os.kill(victim, signal.SIGSTOP)
        deadline = time.monotonic() + 30
        while set(before[:2]) & set(server.workers()) or len(server.workers()) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)  # other processes
        assert before[2] in server.workers()
        assert "hangs; it is killed" in server.log()
        while _status(server.port) != 200:
            assert time.monotonic() < deadline


def _status(port: int, target: str = "/-/ready") -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", target)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@WORKERS
def test_it_serves_at_sockets_that_are_passed_on_to_it(tmp_path: Path, workers: int) -> None:
    activate = program("systemd-socket-activate")
    server = Served(tmp_path, MIRROR, workers)
    text = (tmp_path / "config.toml").read_text()
    (tmp_path / "config.toml").write_text(text.replace(f"127.0.0.1:{server.port}", "127.0.0.1:1"))
    server.program = [activate, "--listen", f"127.0.0.1:{server.port}", *server.program]
    server.start()
    try:
        for _ in range(20):
            assert _status(server.port) == 200
        connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/none/")
        assert connection.getresponse().status == 404  # its own name, and no mirror: not 403
        connection.close()
        assert f"http://127.0.0.1:{server.port}/" in server.log() or f"localhost:{server.port}" in server.log()
        server.signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while "read again; changed: nothing" not in server.log():
            assert time.monotonic() < deadline
            time.sleep(0.01)  # another process
        assert "restart" not in server.log()
    finally:
        assert server.stop() == 0


class TestUnits:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The units, with a program that there is, as systemd of this machine wants them."""
        program("systemd-analyze")
        for unit in ("mirror.service", "mirror.socket"):
            text = (UNITS / unit).read_text()
            (tmp_path / unit).write_text(re.sub("/opt/mirror/bin/mirror", sys.executable, text))
        told = subprocess.run(["systemd-analyze", "--version"], check=True, capture_output=True, text=True).stdout
        if int(told.split()[1]) < 253:
            text = (tmp_path / "mirror.service").read_text().replace("Type=notify-reload\n", "")
            (tmp_path / "mirror.service").write_text(text)
            (tmp_path / "mirror.service.d").mkdir()
            shutil.copy(UNITS / "before-253.conf", tmp_path / "mirror.service.d")
        return tmp_path

    def test_they_are_valid(self, folder: Path) -> None:
        units = [str(folder / unit) for unit in ("mirror.service", "mirror.socket")]
        told = subprocess.run(["systemd-analyze", "verify", *units], check=False, capture_output=True, text=True)
        assert (told.returncode, told.stderr) == (0, "")

    def test_the_service_can_do_little_harm(self, folder: Path) -> None:
        command = ["systemd-analyze", "security", "--offline=true", "--threshold=30", str(folder / "mirror.service")]
        told = subprocess.run(command, check=False, capture_output=True, text=True)
        assert told.returncode == 0, told.stdout
        assert re.search(r"exposure level for mirror.service: [01]\.", told.stdout)

    def test_the_server_needs_no_call_that_it_is_not_allowed(self, folder: Path, tmp_path: Path) -> None:
        trace, seen = program("strace"), tmp_path / "calls"
        text = (folder / "mirror.service").read_text()
        allowed = _allowed(re.findall(r"^SystemCallFilter=(.*)", text, re.MULTILINE))
        server = Served(tmp_path / "mirror", MIRROR, 2)
        strict = [sys.executable, "-c", DENYING] if "MemoryDenyWriteExecute=yes" in text else []
        server.program = [trace, "-f", "-qq", "-o", str(seen), *strict, *server.program]
        server.start()
        try:
            (pid,) = server.workers()  # of strace: the server
            os.kill(pid, signal.SIGHUP)
            assert _status(server.port) == 200
            assert _status(server.port, "/o/some") == 502
        finally:
            os.kill(pid, signal.SIGTERM)
            server.stop()
        used = set(re.findall(r"^\d+ +(\w+)\(", seen.read_text(), re.MULTILINE))
        assert "sendto" in used or "sendmsg" in used
        assert used - allowed <= {"fchown"}  # which the database calls as root alone


DENYING = """
import ctypes, os, sys
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1  # the kernel's own; before Linux 6.3 it has none
ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def _allowed(filters: list[str]) -> set[str]:
    """What lines of SystemCallFilter leave, one after the other."""
    allowed = _members("@default")
    for line in filters:
        names = line.removeprefix("~").split()
        calls = {call for name in names for call in (_members(name) if name.startswith("@") else {name})}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


def _members(group: str) -> set[str]:
    told = subprocess.run(["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True)
    names = [line.strip() for line in told.stdout.splitlines()[1:]]
    found: Callable[[str], set[str]] = lambda name: _members(name) if name.startswith("@") else {name}  # noqa: E731
    return {call for name in names if name and not name.startswith("#") for call in found(name)}
