"""Whether the bytes of a blob are still those that were stored: they are read and hashed at its first use by a process,
and again once its file was written to. What this process stored was hashed on its way in."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

from mirror.stores.handles import Handle, Handles
from mirror.stores.hashes import HASH_CHUNK

log = logging.getLogger("mirror.stores")

Run = Callable[..., Awaitable[Any]]

STEP = 4 * 1024 * 1024
"""Bytes that are hashed in one executor call, so that others have their turn at the threads."""

MOST = 50_000
"""Blobs of which it is remembered that they are right; some ten MB."""


class Proofs:
    """Of the blobs in `handles`, which `run` (a store's executor) reads; `refuse(blob)` is called for one whose bytes
    are others."""

    def __init__(self, run: Run, handles: Handles, refuse: Callable[[str], Awaitable[object]]) -> None:
        self._run = run
        self._handles = handles
        self._refuse = refuse
        self._right: dict[str, int] = {}  # blob -> when its file was last written to (ns), as it was right
        self._running: set[asyncio.Task[bool]] = set()
        self._over = False

    def trust(self, blob: str, written: int) -> None:
        """Its bytes are right as long as its file was last written to at `written` (ns)."""
        self._right.pop(blob, None)
        self._right[blob] = written
        if len(self._right) > MOST:
            del self._right[next(iter(self._right))]

    def forget(self, blob: str) -> None:
        self._right.pop(blob, None)

    def begin(self, handle: Handle) -> None:
        """Have `handle.proof` say whether the bytes are right, unless that is known, or being found out."""
        if handle.proof is None and self._right.get(handle.entry.blob) != handle.written:
            handle.proof = asyncio.get_running_loop().create_task(self._prove(handle))
            self._running.add(handle.proof)
            handle.proof.add_done_callback(self._running.discard)

    async def _prove(self, handle: Handle) -> bool:
        blob, digest = handle.entry.blob, handle.entry.digest
        handle.enter()
        try:
            found = await self._sha256(handle)
        except OSError as exc:  # the disk may give them another time
            log.warning("%s: the body of blob %s cannot be read: %s", handle.entry.key, blob, exc)
            self._handles.drop(blob)
            return False
        finally:
            handle.leave()
        if found == digest:
            self.trust(blob, handle.written)
            handle.proof = None
            return True
        self._handles.drop(blob)
        if not self._over:
            log.warning("%s: the body of blob %s is not what was stored, and is deleted", handle.entry.key, blob)
            await self._refuse(blob)
        return False

    async def _sha256(self, handle: Handle) -> str:
        running, at = hashlib.sha256(), 0
        while at < handle.entry.size and not self._over:
            await self._run(_hash, handle.fd, at, min(at + STEP, handle.entry.size), running)
            at += STEP
        return running.hexdigest()

    async def close(self) -> None:
        """What is being found out stays unknown."""
        self._over = True
        if self._running:
            await asyncio.wait(self._running)


def _hash(fd: int, at: int, end: int, running: hashlib._Hash) -> None:
    """Go on with the bytes `[at, end)` of a file. Blocks."""
    while at < end and (chunk := os.pread(fd, min(HASH_CHUNK, end - at), at)):
        running.update(chunk)
        at += len(chunk)
