"""Records the calls by which stores change a folder, and makes folders as a kill or a power cut in between leaves them.

A kill leaves what all calls did. A power cut leaves what was synced, and of the rest whatever the disk came to: of
contents any pages, of names (made, renamed, removed; each call whole) the first of them or any.
"""

from __future__ import annotations

import os
import random
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

PAGE = 4096

Cut = Literal["kill", "ordered", "any"]
"""What is left of names: of all calls; of the first ones; of any."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `file` is a number that is never used again; `path` and `to` are relative to the folder."""

    what: Literal["make", "folder", "write", "cut", "sync", "sync folder", "rename", "remove"]
    path: str = ""
    to: str = ""
    file: int = -1
    offset: int = 0
    content: bytes = b""


@dataclass
class Calls:
    """Those that change what is below `root`, in their order, since `record`."""

    root: Path
    made: list[Call] = field(default_factory=list)
    _files: dict[int, int] = field(default_factory=dict)  # inode -> file
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def record(self, patch: pytest.MonkeyPatch) -> None:
        """From now on, until `patch` is undone."""
        for name in ("open", "pwrite", "write", "ftruncate", "fsync", "fdatasync", "rename", "unlink", "mkdir"):
            patch.setattr(os, name, self._seen(getattr(self, f"_{name}"), getattr(os, name)))
        patch.setattr(Path, "write_bytes", _write_bytes)
        patch.setattr(Path, "write_text", lambda path, text: _write_bytes(path, text.encode()))

    def _seen(self, note: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
        def seen(*args: Any, **named: Any) -> Any:
            with self._lock:
                return note(call, *args, **named)

        return seen

    def _name(self, path: Any) -> str | None:
        text = os.fspath(path)
        return text[len(str(self.root)) + 1 :] if str(text).startswith(f"{self.root}/") else None

    def _of(self, fd: int) -> int | None:
        return self._files.get(os.fstat(fd).st_ino)

    def _open(self, call: Any, path: Any, flags: int, mode: int = 0o777, **named: Any) -> int:
        name = self._name(path) if isinstance(path, str | Path) else None
        fresh = name is not None and flags & os.O_CREAT and not os.path.lexists(path)
        fd: int = call(path, flags, mode, **named)
        if name is not None and fresh:
            number = self._files[os.fstat(fd).st_ino] = len(self.made)
            self.made.append(Call("make", name, file=number))
        elif name is not None and flags & os.O_TRUNC and (file := self._of(fd)) is not None:
            self.made.append(Call("cut", file=file))
        return fd

    def _pwrite(self, call: Any, fd: int, content: Any, offset: int) -> int:
        count: int = call(fd, content, offset)
        if (file := self._of(fd)) is not None:
            self.made.append(Call("write", file=file, offset=offset, content=bytes(content)[:count]))
        return count

    def _write(self, call: Any, fd: int, content: Any) -> int:
        file = self._of(fd)
        offset = os.fstat(fd).st_size if file is not None else 0  # all that is written so is appended
        count: int = call(fd, content)
        if file is not None:
            self.made.append(Call("write", file=file, offset=offset, content=bytes(content)[:count]))
        return count

    def _ftruncate(self, call: Any, fd: int, size: int) -> None:
        call(fd, size)
        if (file := self._of(fd)) is not None:
            self.made.append(Call("cut", file=file, offset=size))

    def _fsync(self, call: Any, fd: int) -> None:
        call(fd)
        if stat.S_ISDIR(os.fstat(fd).st_mode):  # whose inode may have been a file's before
            name = self._name(f"{os.readlink(f'/proc/self/fd/{fd}')}/")
            self.made += [Call("sync folder", name.rstrip("/"))] if name is not None else []
        elif (file := self._of(fd)) is not None:
            self.made.append(Call("sync", file=file))

    _fdatasync = _fsync

    def _rename(self, call: Any, path: Any, to: Any) -> None:
        file = os.lstat(path).st_ino if os.path.lexists(path) else -1
        call(path, to)
        if (name := self._name(path)) is not None:
            self.made.append(Call("rename", name, self._name(to) or "", self._files[file]))

    def _unlink(self, call: Any, path: Any, **named: Any) -> None:
        call(path, **named)
        if (name := self._name(path)) is not None:
            self.made.append(Call("remove", name))

    def _mkdir(self, call: Any, path: Any, *args: Any, **named: Any) -> None:
        call(path, *args, **named)
        if (name := self._name(path)) is not None:
            self.made.append(Call("folder", name))


def _write_bytes(path: Path, content: bytes) -> int:
    """As Path does it, by calls that are seen."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        return os.pwrite(fd, content, 0) if content else 0
    finally:
        os.close(fd)


def left(calls: list[Call], cut: Cut, dice: random.Random) -> tuple[list[str], dict[str, bytes]]:
    """The folders and files that are there after these calls, and a kill or a power cut."""
    contents = {call.file: _content(calls, call.file, cut, dice) for call in calls if call.what == "make"}
    folders, files = [], {}
    for call in _names(calls, cut, dice):
        if call.what == "folder":
            folders.append(call.path)
        else:
            files.pop(call.path, None)
        if call.what in ("make", "rename"):
            files[call.to or call.path] = contents[call.file]
    standing = {folder for folder in folders if all(str(above) in (*folders, ".") for above in Path(folder).parents)}
    there = {path: content for path, content in files.items() if str(Path(path).parent) in {*standing, "."}}
    return sorted(standing), there


def _names(calls: list[Call], cut: Cut, dice: random.Random) -> list[Call]:
    """The calls that changed names, as far as they are left."""
    changes = [(at, call) for at, call in enumerate(calls) if call.what in ("make", "folder", "rename", "remove")]
    synced = {call.path: at for at, call in enumerate(calls) if call.what == "sync folder"}
    sure = [at for at, call in changes if at < synced.get(str(Path(call.to or call.path).parent).strip("."), -1)]
    if cut == "kill":
        return [call for _, call in changes]
    if cut == "ordered":  # a journal
        until = dice.randint(max(sure, default=-1), len(calls))
        return [call for at, call in changes if at <= until]
    keep = dice.choice((0.0, 0.5, 1.0))
    return [call for at, call in changes if at in sure or dice.random() < keep]


def _content(calls: list[Call], file: int, cut: Cut, dice: random.Random) -> bytes:
    mine = [call for call in calls if call.file == file]
    synced = max((at for at, call in enumerate(mine) if call.what == "sync"), default=-1)
    sure, whole = _written(mine[: synced + 1]), _written(mine)
    if cut == "kill":
        return whole
    size, keep = dice.choice((len(sure), len(whole))), dice.choice((0.0, 0.5, 1.0))
    content = bytearray(sure[:size].ljust(size, b"\0"))
    for start in range(0, size, PAGE):
        if dice.random() < keep and start < len(whole):
            page = whole[start : min(start + PAGE, size)]
            content[start : start + len(page)] = page
    return bytes(content)


def _written(calls: list[Call]) -> bytes:
    content = bytearray()
    for call in calls:
        end = call.offset + len(call.content)
        if call.what == "write":
            content.extend(bytes(max(0, end - len(content))))
            content[call.offset : end] = call.content
        elif call.what == "cut":
            content[:] = content[: call.offset].ljust(call.offset, b"\0")
    return bytes(content)


def make(root: Path, folders: list[str], files: dict[str, bytes]) -> None:
    """Make them below `root`."""
    for folder in folders:
        (root / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, content in files.items():
        (root / path).write_bytes(content)
        (root / path).chmod(0o600)
