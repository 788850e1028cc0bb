"""What may stand where below a cache's path, whose it is, and who has rights on it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from mirror.stores.checking.findings import Ledger

FOLDERS = ("blobs.v1", "partial", "index.v1", "facts.v1")
FILES = ("taken", "recent", "recent.before", "lock", "clean")
NOT_OURS = ("audit", "lost", "lost+found", ".gitignore")
INDEX = re.compile(r"cache\.db(-wal|-shm|-journal)?")


def kind(mode: int) -> str:
    """What a file is that is no plain file."""
    kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def check_top(ledger: Ledger) -> None:
    """The path itself, and what stands directly below it."""
    root = ledger.root
    mode = root.stat().st_mode
    if mode & stat.S_IWOTH:
        ledger.find(root, "everybody may write to it", lambda: _restricted(root, 0o700))
    for path in listed(root):
        if path.name in FOLDERS:
            _check_folder(ledger, path)
        elif path.name in FILES:
            plain(ledger, path)
        elif path.name.startswith("probe-"):
            ledger.find(path, "a probe of a server that did not end", ledger.deleted(path), left=True)
        elif path.name not in NOT_OURS and not re.fullmatch(r"broken-\d+", path.name):
            foreign(ledger, path)
    for path in listed(root / "index.v1"):
        if not INDEX.fullmatch(path.name):
            foreign(ledger, path)
        elif path.lstat().st_uid != ledger.owner:
            _find_owner(ledger, path)


def _check_folder(ledger: Ledger, path: Path) -> None:
    if not path.is_dir():
        ledger.find(path, "no folder", ledger.set_aside(path))
    elif not path.is_symlink():  # who puts a part of the cache on another disk may do so by a link
        private(ledger, path)


def listed(folder: Path) -> Iterator[Path]:
    """What stands in a folder, in the order of names; nothing where there is none."""
    try:
        paths = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from paths


def private(ledger: Ledger, folder: Path) -> None:
    """The folder is the cache's owner's, and nobody else's."""
    status = folder.lstat()
    if status.st_uid != ledger.owner:
        _find_owner(ledger, folder)
    restricted(ledger, folder, 0o700)


def restricted(ledger: Ledger, path: Path, mode: int = 0o600) -> None:
    """It has that mode."""
    found = stat.S_IMODE(path.lstat().st_mode)
    if found != mode:
        ledger.find(path, f"has the mode {found:o}", lambda: _restricted(path, mode))


def plain(ledger: Ledger, path: Path) -> bool:
    """Whether a file that can be made again is a plain one of the cache's owner; else that is found."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        mend = ledger.set_aside(path) if stat.S_ISDIR(status.st_mode) else ledger.deleted(path)
        ledger.find(path, f"no file but {kind(status.st_mode)}", mend)
        return False
    if status.st_uid != ledger.owner:
        ledger.find(path, f"belongs to user {status.st_uid}", ledger.set_aside(path))
        return False
    return True


def foreign(ledger: Ledger, path: Path) -> None:
    """It does not belong here, whatever it is."""
    mode = path.lstat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        ledger.find(path, "does not belong here", ledger.set_aside(path))
    else:
        ledger.find(path, f"does not belong here: {kind(mode)}", ledger.deleted(path))


def _restricted(path: Path, mode: int) -> str:
    path.chmod(mode)
    return f"its mode is {mode:o} now"


def _find_owner(ledger: Ledger, path: Path) -> None:
    """What can neither be made again at once nor be done without."""

    def given() -> str:
        os.chown(path, ledger.owner, -1, follow_symlinks=False)
        return f"given to user {ledger.owner}"

    ledger.find(path, f"belongs to user {path.lstat().st_uid}", given)
