"""Blocking calls on files, for the stores' threads."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path

from mirror.evict import on_disk

REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""What a disk says that takes no writes: what stands on it may well be read."""


def open_own(path: Path, flags: int = 0) -> int:
    """A descriptor for reading a file of ours, opened with `flags` too; OSError where there is none. Links are not
    followed, pipes and devices not waited for, and files of other owners not believed. Blocks."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | flags)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        os.close(fd)
        raise FileNotFoundError(path)
    return fd


def read_own(path: Path) -> bytes:
    """What is in a file of ours; OSError where there is none. Blocks."""
    with open(open_own(path), "rb") as file:
        return file.read()


def is_partial(name: str) -> bool:
    return name.endswith(".part")


def taken(path: Path) -> int:
    """Bytes that a sparse file takes on disk, its note included."""
    return path.stat().st_blocks * 512 + on_disk(1)


def weight(*folders: Path) -> int:
    """Bytes that these folders and those in them take themselves, without files. Blocks."""
    total = 0
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as below:
            total += folder.stat().st_blocks * 512
            total += sum(each.stat().st_blocks * 512 for each in below if each.is_dir(follow_symlinks=False))
    return total


def _with_note(path: Path) -> tuple[Path, ...]:
    return (path, path.with_suffix(".json")) if path.suffix in (".part", ".json") else (path,)


def freed_by(path: Path) -> int:
    """The bytes that `remove` would free. Blocks."""
    size = 0
    for name in _with_note(path):
        with contextlib.suppress(OSError):
            size += name.lstat().st_blocks * 512
    return size


def remove(path: Path) -> int:
    """Unlink a file (of a partial: its note too); the bytes that this freed. Blocks."""
    freed = 0
    for name in _with_note(path):
        with contextlib.suppress(OSError):
            size = name.lstat().st_blocks * 512
            name.unlink()
            freed += size
    return freed


def sync_folders(folders: set[Path]) -> None:
    for folder in folders:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def write_all(fd: int, run: bytes | memoryview, offset: int) -> None:
    """Write all of `run`: a disk that is nearly full takes a part first and refuses the rest. Blocks."""
    view = memoryview(run)
    while view:
        count = os.pwrite(fd, view, offset)
        view, offset = view[count:], offset + count


def place(path: Path, target: Path, durable: set[Path] | None) -> None:
    """Rename `path` to `target`, whose folder is made when it is the first there. Where `durable` is given, a power cut
    does not undo it: those are folders whose own names are synced, and that one is added. OSError: nothing stands at
    `target`."""
    try:
        path.rename(target)
    except FileNotFoundError:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        path.rename(target)
    if durable is not None:
        try:
            # Also where another thread has made the folder: its sync may come after ours.
            sync_folders({target.parent} if target.parent in durable else {target.parent, target.parent.parent})
            durable.add(target.parent)
        except OSError:
            target.unlink(missing_ok=True)
            raise


def move_aside(path: Path) -> None:
    """Rename `path` to `broken-<n>` beside it; older ones of that name are removed."""
    older = aside(path.parent)
    newest = max((int(other.name.removeprefix("broken-")) for other in older), default=0)
    path.rename(path.parent / f"broken-{newest + 1}")
    for other in older:
        if other.is_dir() and not other.is_symlink():
            shutil.rmtree(other, ignore_errors=True)
        else:
            other.unlink(missing_ok=True)


def aside(folder: Path) -> list[Path]:
    """What `move_aside` left in `folder`."""
    return [path for path in folder.glob("broken-*") if path.name.removeprefix("broken-").isdecimal()]
