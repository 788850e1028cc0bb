"""The mirror in a process of its own, or several, as `mirror serve` runs it: started, killed, started again on one
cache. With MIRROR_TEST_WORKERS=3 in the environment, three processes serve wherever a test does not say how many."""

from __future__ import annotations

import atexit
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

from .clock import until
from .forking import Forge, Forked
from .ports import free_port

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "mirror"]
"""What is started where a test says nothing else: forked, rather, from a process that has imported it."""


@cache
def _forge() -> Forge:
    forge = Forge()
    atexit.register(forge.close)
    return forge


class Served:
    """A mirror server on a loopback port; its folder holds `config.toml`, `cache/` and `log`. `certificate`: the one
    that is configured, where it speaks https."""

    def __init__(self, folder: Path, config: str, workers: int = 0, certificate: Path | None = None) -> None:
        self.folder = folder
        workers = workers or int(os.environ.get("MIRROR_TEST_WORKERS", "1"))
        self.port = free_port()
        self.address = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"
        self.trust = ssl.create_default_context(cafile=certificate) if certificate else None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(
            f'[server]\nlisten = "127.0.0.1:{self.port}"\nworkers = {workers}\n{config}'
        )
        self.program = PROGRAM
        self.environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | Forked | None = None
        self._told_before = 0

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def workers(self) -> list[int]:
        """The process ids of all workers, where there are several: the holder first, as long as none was replaced."""
        return children(self.pid)

    def signal(self, how: signal.Signals) -> None:
        os.kill(self.pid, how)

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def url(self, path: str) -> str:
        return self.address + path

    def start(self, asking: str = "/-/ready") -> None:
        """Start it, and wait until it is ready: until it answers that with 200."""
        assert self._process is None
        self._told_before = len(self.log()) if (self.folder / "log").exists() else 0
        arguments = ["serve", "--config", str(self.folder / "config.toml")]
        environment = {**os.environ, **self.environment}
        with (self.folder / "log").open("ab") as log:
            if self.program is PROGRAM:
                self._process = _forge().start(arguments, log.fileno(), ROOT, environment)
            else:
                command = [*self.program, *arguments]
                self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, env=environment)
        deadline = time.monotonic() + 60
        while self._status(asking) != 200:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.log()}")
            time.sleep(0.01)  # another process: it tells nobody when it is ready, it can only be asked

    def connect(self) -> HTTPConnection:
        if self.trust is not None:
            return HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.trust)
        return HTTPConnection("127.0.0.1", self.port, timeout=20)

    def _status(self, path: str) -> int:
        connection = self.connect()
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is not None:  # it has ended by itself
            return process.wait(0)
        workers = children(process.pid) if how == signal.SIGKILL else []
        for pid in (process.pid, *workers):
            os.kill(pid, how)
        return process.wait(40)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def answered(self, part: str = "", since: int = 0, least: int = 1) -> list[str]:
        """The access log's lines with `part` in them, from that character of the log on.

        Waits until there are `least`: they are written when the clients have their answers already.
        """

        def lines() -> list[str]:
            written = self.log()[since:].rpartition("\n")[0]
            return [line for line in written.split("\n") if "mirror.access" in line and part in line]

        until(lambda: len(lines()) >= least)
        return lines()

    def log_since_start(self) -> str:
        return self.log()[self._told_before :]

    def memory(self) -> int:
        """Resident bytes now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def peak(self) -> int:
        """The most resident bytes so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))

    def cpu(self) -> float:
        """Seconds of user and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def on_disk(self) -> int:
        """Bytes that everything below the cache's path takes."""
        total = 0
        for folder, _, files in os.walk(self.cache):
            for path in (folder, *(os.path.join(folder, name) for name in files)):
                try:
                    total += os.lstat(path).st_blocks * 512
                except FileNotFoundError:
                    continue
        return total


def children(pid: int) -> list[int]:
    """The processes that a process has started, in the order of their start."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def http_mirror(upstream: str, cache: str = 'min_free = "1MB"', mirror: str = "") -> str:
    """The configuration of one `http` mirror named `o`."""
    return f"""
[cache]
{cache}
[upstream]
retries = 4
[mirrors.o]
ecosystem = "http"
upstream = "{upstream}"
{mirror}
"""


@contextmanager
def served(folder: Path, config: str, workers: int = 0, certificate: Path | None = None) -> Iterator[Served]:
    """A running server, ended at the end."""
    server = Served(folder, config, workers, certificate)
    try:
        server.start()
        yield server
    finally:
        server.stop()
