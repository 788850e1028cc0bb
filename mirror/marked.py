"""A configuration file that carries a mark of ours: written with a backup beside it, and undone if it is as we left it.

pip.conf                 the mark on a line of its own, with the digest of all other lines
pip.conf.before-mirror   what was there before, byte for byte; none where nothing was there
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mirror.errors import MirrorError
from mirror.pointers import NotMergeable, Setting

_MARK = re.compile(
    r"^# `mirror setup (?:[a-z]+)` wrote this file(;|, which is new;)[^\n]* sha256 ([0-9a-f]{64})\r?\n", re.M
)


class Left(MirrorError):
    """The file is left as it is, with the reason."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A file's text less the mark; `mark` is "" where it has none, `ours` says that nobody changed it since."""

    text: str
    mark: str = ""
    new: bool = False
    ours: bool = False


def write(path: Path, setting: Setting, client: str) -> str:
    """Makes `setting` part of the file; what was done, as a sentence. Raises Left, and OSError."""
    path = path.resolve()  # a link stays one
    if not path.exists():
        _place(path, _mark(client, setting.text, new=True) + setting.text, None)
        return f"{path}: written"
    found = _read(path)
    text = _merged(path, found, setting)
    if text == found.text:
        return f"{path}: is set to the mirror already"
    if not found.mark:
        _back_up(path)
    mark = _mark(client, text, new=found.new) if found.ours or not found.mark else found.mark
    _place(path, mark + text, path)
    return f"{path}: written" + ("" if found.new else f" (what was there before is in {_backup(path).name})")


def undo(path: Path, setting: Setting | None) -> str:
    """Puts back what was there before; what was done, as a sentence. Raises Left, and OSError.

    `setting`, where it is known, tells a file that has lost the mark from one that never had it.
    """
    path = path.resolve()
    backup = _backup(path)
    before = f"what was there before is in {backup}" if backup.exists() else "nothing was there before"
    if not path.exists():
        if backup.exists():
            raise Left(f"{path}: removed since by somebody else ({before})")
        return f"{path}: nothing to undo"
    found = _read(path)
    if not found.mark and not backup.exists() and not _holds(found.text, setting):
        return f"{path}: nothing to undo"
    if not found.ours:
        raise Left(f"{path}: not as `mirror setup` left it, so it stays; take the mirror out by hand ({before})")
    if found.new:
        path.unlink()
        return f"{path}: removed"
    if not backup.exists():
        raise Left(f"{path}: {backup.name} is gone, so it stays; take the mirror out by hand")
    backup.replace(path)
    return f"{path}: as it was before"


def _holds(text: str, setting: Setting | None) -> bool:
    try:
        return setting is not None and setting.merge(text) == text
    except NotMergeable:
        return False


def _merged(path: Path, found: _Found, setting: Setting) -> str:
    """What we wrote is written anew from what was there before; what others changed is kept."""
    backup = _backup(path)
    try:
        if found.ours and found.new:
            return setting.text
        if found.ours and backup.exists():
            return setting.merge(_decoded(backup))
        return setting.merge(found.text)
    except MirrorError as error:
        raise Left(f"{path}: {error}. It needs this:\n\n{setting.text}") from error


def _backup(path: Path) -> Path:
    return path.with_name(f"{path.name}.before-mirror")


def _back_up(path: Path) -> None:
    backup, content = _backup(path), path.read_bytes()
    if backup.exists() and backup.read_bytes() != content:
        raise Left(f"{path}: {backup.name} is there from another time: move it away first")
    _place(backup, content, path)


def _read(path: Path) -> _Found:
    text = _decoded(path)
    if not (match := _MARK.search(text)):
        return _Found(text)
    rest = text[: match.start()] + text[match.end() :]
    return _Found(rest, match[0], match[1] != ";", match[2] == _digest(rest))


def _decoded(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise Left(f"{path}: not UTF-8 text") from error


def _mark(client: str, text: str, *, new: bool) -> str:
    wrote = "wrote this file, which is new; --undo removes it" if new else "wrote this file; --undo takes it back"
    return f"# `mirror setup {client}` {wrote}. sha256 {_digest(text)}\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _place(path: Path, content: str | bytes, like: Path | None) -> None:
    """Writes the file whole or not at all, with the permissions of `like`: there may be passwords in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(number)
        if like is None:
            Path(name).chmod(0o644)
        else:
            owner = like.stat()
            shutil.copymode(like, name)
            with suppress(PermissionError):
                os.chown(name, owner.st_uid, owner.st_gid)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
