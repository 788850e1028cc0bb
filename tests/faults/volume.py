"""File systems of a test's own, which fill up, run out of files, or turn read-only under a running server."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

MB = 1_000_000
CHUNK = b"\0" * MB


@dataclass(frozen=True)
class Volume:
    """A file system that is mounted at `folder/cache`."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "cache"

    def held(self) -> int:
        """Bytes that it holds: told by the kernel, at one instant."""
        status = os.statvfs(self.path)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Have a file take all that is free, less `leave` bytes."""
        status = os.statvfs(self.path)
        left = status.f_bavail * status.f_frsize - leave
        fd = os.open(self.path / "ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            while left > 0:
                left -= os.write(fd, CHUNK[: min(MB, left)])
        except OSError as exc:
            if exc.errno != errno.ENOSPC:
                raise
        finally:
            os.close(fd)

    def exhaust(self) -> None:
        """Make as many files as it takes."""
        (self.path / "many").mkdir()
        try:
            for number in range(1_000_000):
                os.close(os.open(self.path / "many" / str(number), os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError as exc:
            if exc.errno != errno.ENOSPC:
                raise

    def clear(self) -> None:
        """Remove what `fill` and `exhaust` made."""
        (self.path / "ballast").unlink(missing_ok=True)
        many = self.path / "many"
        if many.exists():
            for path in many.iterdir():
                path.unlink()
            many.rmdir()

    def break_down(self) -> None:
        """An ext4 turns read-only, as it does by itself when its disk fails, whoever has files open."""
        _run("mount", "-o", "remount,abort", str(self.path))


@contextmanager
def tmpfs(folder: Path, options: str) -> Iterator[Volume]:
    """One in memory; `options` as those of mount: `size=64m`, `nr_inodes=200`."""
    (folder / "cache").mkdir(parents=True)
    with _mounted(folder, "-t", "tmpfs", "-o", f"{options},mode=0700", "tmpfs"):
        yield Volume(folder)


@contextmanager
def ext4(folder: Path, size: int) -> Iterator[Volume]:
    """One of `size` bytes in a file."""
    (folder / "cache").mkdir(parents=True)
    image = folder / "image"
    with image.open("wb") as file:
        file.truncate(size)
    _run("mkfs.ext4", "-q", str(image))
    with _mounted(folder, "-o", "loop", str(image)):
        yield Volume(folder)


@contextmanager
def _mounted(folder: Path, *options: str) -> Iterator[None]:
    _run("mount", *options, str(folder / "cache"))
    try:
        yield
    finally:
        # -l: also when a test that failed has files open
        subprocess.run(["umount", "-l", str(folder / "cache")], check=True)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError as exc:
        pytest.skip(f"there is no {exc.filename} here")
    if done.returncode:
        pytest.skip(f"cannot {command[0]} here: {done.stderr.strip()}")
