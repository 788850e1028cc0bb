"""A mirror in a process of its own whose wall clock a test winds: `python -m tests.instruments.winding FILE serve ...`.

FILE holds the seconds by which it is ahead, as eight bytes that all of its processes look at. The clock that never
steps, by which timeouts and pauses go, is left alone.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .server import Served

_AHEAD = struct.Struct("=d")


class Winder:
    """The clock of a served mirror: `winder()` is its time, `winder.wind(60)` moves it on. It only goes forward."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.write_bytes(_AHEAD.pack(0.0))

    def __call__(self) -> float:
        return time.time() + self._ahead()

    def wind(self, seconds: float) -> None:
        ahead = _AHEAD.pack(self._ahead() + seconds)
        with self.file.open("r+b") as file:
            file.write(ahead)

    def _ahead(self) -> float:
        ahead: float = _AHEAD.unpack(self.file.read_bytes())[0]
        return ahead


@contextmanager
def wound(folder: Path, config: str) -> Iterator[tuple[Served, Winder]]:
    """A running server and its clock, ended at the end."""
    server = Served(folder, config)
    winder = Winder(folder / "ahead")
    server.program = [sys.executable, "-m", __name__, str(winder.file)]
    server.start()
    try:
        yield server, winder
    finally:
        server.stop()


def _main() -> int:
    with open(sys.argv[1], "r+b") as file:
        ahead = mmap.mmap(file.fileno(), _AHEAD.size)
    real = time.time
    time.time = lambda: real() + _AHEAD.unpack_from(ahead)[0]  # before the mirror is imported: some take it by name
    from mirror.cli import main

    sys.argv = ["mirror", *sys.argv[2:]]
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(_main())
