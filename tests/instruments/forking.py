"""Servers without the second that their imports take: one process imports all of them, and each server is its fork.

What runs in the fork is `mirror.cli.main`, with streams, folder and environment of its own, as `python -m mirror` does.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_LIMIT = 1 << 20
_CODE = struct.Struct("=i")


class Forked:
    """One of the forks, as `subprocess.Popen` has it. `told`: where its exit code arrives, once."""

    def __init__(self, pid: int, told: socket.socket) -> None:
        self.pid = pid
        self._told = told
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._read(0.0)

    def wait(self, timeout: float) -> int:
        """The same, or subprocess.TimeoutExpired after so many seconds."""
        code = self._read(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout)
        return code

    def _read(self, timeout: float) -> int | None:
        if self._code is None and select.select([self._told], [], [], timeout)[0]:
            self._code = _CODE.unpack(self._told.recv(_CODE.size))[0]
            self._told.close()
        return self._code


class Forge:
    """The process that forks. It ends when its starter is gone."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            root = Path(__file__).parents[2]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=root, stdin=subprocess.DEVNULL)

    def start(self, arguments: list[str], log: int, folder: Path, environment: dict[str, str]) -> Forked:
        """`mirror ARGUMENTS`, with `log` for its standard output and error."""
        ours, theirs = socket.socketpair()
        with theirs:
            asked = json.dumps({"arguments": arguments, "folder": str(folder), "environment": environment}).encode()
            socket.send_fds(self._control, [asked], [log, theirs.fileno()])
        return Forked(_CODE.unpack(self._control.recv(_CODE.size))[0], ours)

    def close(self) -> None:
        self._control.close()
        self._process.wait(10)


def _forging(control: socket.socket) -> None:
    """Forks as it is told, and tells of ends, until nobody can tell it anything."""
    running: dict[int, socket.socket] = {}
    woken, waking = socket.socketpair()
    for end in (woken, waking):
        end.setblocking(False)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready = select.select([control, woken], [], [])[0]
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                woken.recv(4096)
            _tell(running)
        if control in ready:
            asked, fds, _, _ = socket.recv_fds(control, _LIMIT, 2)
            if not asked:
                return
            told = socket.socket(fileno=fds[1])
            if (pid := os.fork()) == 0:
                for mine in (control, woken, waking, told, *running.values()):
                    mine.close()
                _be(json.loads(asked), fds[0])
            os.close(fds[0])
            running[pid] = told
            control.send(_CODE.pack(pid))


def _tell(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as told, contextlib.suppress(OSError):
            told.send(_CODE.pack(os.waitstatus_to_exitcode(status)))


def _be(asked: dict[str, Any], log: int) -> None:
    """Be a server, and end with it."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        time.tzset()
        sys.argv = ["mirror", *asked["arguments"]]
        code = _main()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _main() -> int:
    from mirror.cli import main

    return main(sys.argv[1:])


def _import_all() -> None:
    import mirror.app
    import mirror.cli.serve
    import mirror.front
    import mirror.server.run
    import mirror.server.workers  # noqa: F401


if __name__ == "__main__":
    _import_all()
    _forging(socket.socket(fileno=int(sys.argv[1])))
