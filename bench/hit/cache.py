"""One running cache: where it listens, and what its process tree has used of CPU and memory."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.instruments.peers import PATH

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cache:
    """`objects` and `packages` are before the targets of objects and packuments; `pids`: the roots of its trees."""

    name: str
    port: int
    pids: tuple[int, ...]
    objects: str = ""
    packages: str = ""

    def cpu(self) -> float:
        """Seconds of user and system time of the whole process tree so far."""
        return sum(_times(pid) for pid in self._tree())

    def memory(self) -> int:
        """Resident bytes of the process; of a tree of several, what they share is divided among them (PSS).

        A single process is not given that favour: it would share Python with whatever else runs on the machine.
        """
        tree = self._tree()
        return sum(_memory(pid, "Rss" if len(tree) == 1 else "Pss") for pid in tree)

    def _tree(self) -> list[int]:
        found = list(self.pids)
        for known in found:
            for task in Path(f"/proc/{known}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        return found


def _times(pid: int) -> float:
    """From the scheduler's own account (nanoseconds), summed over threads: ticks would be too coarse."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _memory(pid: int, measure: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{measure}:"))


@contextmanager
def started(command: list[str], port: int, folder: Path, cwd: Path | None = None, **settings: str) -> Iterator[int]:
    """The program's process id, from when it listens at `port` (0: at once); what it prints is in `folder`/output."""
    env = {**os.environ, "PATH": PATH, **settings}
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=cwd or folder, env=env)
    try:
        deadline = time.monotonic() + 30
        while port:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((folder / "output").read_text()) from None
                time.sleep(0.02)  # another process: it tells nobody when it is ready, it can only be asked
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)
