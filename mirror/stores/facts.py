"""Facts in text files that are searched where they lie: one file for each document.

facts.v1/<mirror>/<id>     id: the first 32 hex digits of the slot's sha256; see stores/fact_lists.py
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial as bind
from pathlib import Path
from typing import Any, TypeVar

from mirror.changes import Changes, lost, put
from mirror.errors import StoreError
from mirror.evict import on_disk
from mirror.model import Fact
from mirror.stores.fact_lists import FORM, Document, line, written
from mirror.stores.files import open_own, remove

T = TypeVar("T")


class FileFacts:
    """Facts below the folder `path`, on two threads of its own. What is broken is removed: then there are none."""

    def __init__(self, path: Path, changes: Changes | None = None) -> None:
        self._path = path
        self.changes = changes or Changes()
        self._threads = ThreadPoolExecutor(2, "mirror-facts")
        self._lock = threading.Lock()  # for both:
        self._files: dict[str, dict[str, None]] = {}  # mirror -> file names, the newest last
        self._bytes: dict[str, int] = {}  # mirror -> what its files take
        self._drafts: set[str] = set()  # names of files that are being written

    async def _run(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)

    async def start(self) -> None:
        """StoreError when the folder cannot be used."""
        try:
            await self._run(bind(self._path.mkdir, mode=0o700, parents=True, exist_ok=True))
        except OSError as exc:
            raise StoreError(f"cannot use the facts at {self._path}: {exc.strerror or exc}") from exc

    async def count(self) -> None:
        """Find out what all facts take, and remove drafts that were never finished; what is asked meanwhile is answered
        as always."""
        for folder in await self._run(lambda: [path.name for path in self._path.iterdir()]):
            await self._run(self._count, folder)

    def _count(self, mirror: str) -> None:
        total = 0
        with self._lock, contextlib.suppress(NotADirectoryError, FileNotFoundError):
            with os.scandir(self._path / mirror) as files:
                for file in files:
                    if not file.name.endswith(".draft"):
                        total += on_disk(file.stat(follow_symlinks=False).st_size)
                    elif file.name not in self._drafts:
                        remove(self._path / mirror / file.name)
            # All there is: what was put since the start too, which counts anew from here.
            self._bytes[mirror] = total

    async def put(self, mirror: str, slot: str, source: str, facts: Iterable[Fact], now: float) -> None:
        """See `FactStore.put`. `facts` is gone through on a thread; what it raises is raised here, and the old facts
        stay. StoreError when the disk refuses. Facts with control characters are left out."""
        try:
            await self._run(self._put, mirror, slot, source, facts, now)
        except OSError as exc:
            raise StoreError(f"cannot write the facts of {slot}: {exc.strerror or exc}") from exc

    def _put(self, mirror: str, slot: str, source: str, facts: Iterable[Fact], now: float) -> None:
        lines = dict(filter(None, map(line, facts)))
        body = written(slot, source, lines, self._seen(mirror, slot), now)
        path = self._path / mirror / file_of(slot)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(f".{secrets.token_hex(4)}.draft")
        self._drafts.add(draft.name)
        try:
            draft.write_bytes(body)
            with self._lock:
                self._bytes[mirror] = self._bytes.get(mirror, 0) + on_disk(draft.stat().st_size) - _size(path)
                draft.rename(path)
                files = self._listed(mirror)
                files.pop(path.name, None)
                files[path.name] = None
        finally:
            draft.unlink(missing_ok=True)
            self._drafts.discard(draft.name)
            self.changes.changed(*put(mirror, slot))  # on the thread: the caller may have been cancelled

    def _listed(self, mirror: str) -> dict[str, None]:
        """The mirror's files, oldest first; held in memory from the first use on. Under the lock."""
        if mirror not in self._files:
            found = [file for file in (self._path / mirror).glob("*") if file.suffix != ".draft"]
            found.sort(key=lambda file: file.lstat().st_mtime_ns)
            self._files[mirror] = dict.fromkeys(file.name for file in found)
        return self._files[mirror]

    async def source(self, mirror: str, slot: str) -> str | None:
        return await self._run(self._source, mirror, slot)

    def _source(self, mirror: str, slot: str) -> str | None:
        with contextlib.suppress(FileNotFoundError), self._opened(mirror, file_of(slot)) as document:
            return document.source if document.slot == slot and document.form == FORM else None
        return None

    async def seen(self, mirror: str, slot: str) -> dict[str, float]:
        found = await self._run(self._seen, mirror, slot)
        return {name.decode(): instant for name, instant in found.items()}

    def _seen(self, mirror: str, slot: str) -> dict[bytes, float]:
        with contextlib.suppress(FileNotFoundError), self._opened(mirror, file_of(slot)) as document:
            return dict(document.seen()) if document.slot == slot else {}
        return {}

    async def listed(self, mirror: str, slot: str) -> list[Fact]:
        _, found = await self._run(self._in_file, mirror, file_of(slot))
        return found

    def _in_file(self, mirror: str, file: str) -> tuple[str, list[Fact]]:
        with contextlib.suppress(FileNotFoundError), self._opened(mirror, file) as document:
            return document.slot, list(document.facts())
        return "", []

    async def page(self, mirror: str, after: str) -> tuple[str, str, list[Fact]] | None:
        return await self._run(self._page, mirror, after)

    def _page(self, mirror: str, after: str) -> tuple[str, str, list[Fact]] | None:
        with self._lock:
            file = min((name for name in self._listed(mirror) if name > after), default=None)
        return None if file is None else (file, *self._in_file(mirror, file))

    async def find(self, mirror: str, slots: Sequence[str], name: str) -> Fact | None:
        return await self._run(self._find, mirror, slots, name)

    def _find(self, mirror: str, slots: Sequence[str], name: str) -> Fact | None:
        names = [file_of(slot) for slot in slots]
        if not slots:
            with self._lock:
                names = [*reversed(self._listed(mirror))]  # the newest document is right where two disagree
        for file in names:
            with contextlib.suppress(FileNotFoundError), self._opened(mirror, file) as document:
                if fact := document.find(name):
                    return fact
        return None

    @contextlib.contextmanager
    def _opened(self, mirror: str, file: str) -> Iterator[Document]:
        """The document in that file; FileNotFoundError when there is none, or (then it is removed) a broken one."""
        path = self._path / mirror / file
        try:
            fd = open_own(path)
        except OSError as exc:
            raise FileNotFoundError(path) from exc
        try:
            yield Document(fd)
        except (OSError, ValueError, TypeError, KeyError) as exc:
            self._remove(mirror, file)
            raise FileNotFoundError(path) from exc
        finally:
            os.close(fd)

    def _remove(self, mirror: str, file: str) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._files.get(mirror, {}).pop(file, None)
            size = _size(self._path / mirror / file)
            (self._path / mirror / file).unlink()
            self._bytes[mirror] = self._bytes.get(mirror, 0) - size
            self.changes.changed(*lost(mirror))

    async def drop(self, mirror: str) -> None:
        """Remove all facts of one mirror."""
        await self._run(self._drop, mirror)

    def _drop(self, mirror: str) -> None:
        with self._lock:
            self._bytes.pop(mirror, None)
            shutil.rmtree(self._path / mirror, ignore_errors=True)
            self._files.pop(mirror, None)
        self.changes.changed(*lost(mirror))

    def bytes_on_disk(self) -> int:
        """Bytes that all facts take."""
        return max(0, sum(self._bytes.values()))

    async def close(self) -> None:
        """No call is running any more."""
        await asyncio.to_thread(self._threads.shutdown)


def file_of(slot: str) -> str:
    """The name of the file that has the facts of a slot."""
    return hashlib.sha256(slot.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _size(path: Path) -> int:
    """Bytes that a file takes; 0 when there is none."""
    try:
        return on_disk(path.lstat().st_size)
    except OSError:
        return 0
