"""Sends a prepared reply whose body lies in a file: in the moment in which it is asked for, as far as the client takes
it, and what is left in a task."""

from __future__ import annotations

from contextlib import aclosing

from mirror.errors import Unreadable
from mirror.ports import Blob, Source, Span
from mirror.server.zerocopy import WINDOW, FileSender


class Direct:
    """One response: `head`, then the bytes `[start, end)` of an open blob, which is left when they are out, or lost.
    `count`: the body's bytes that are out."""

    def __init__(self, sender: FileSender, head: bytes, blob: Blob, start: int, end: int) -> None:
        self.count = 0
        self._sender = sender
        self._head = head
        self._blob = blob
        self._start, self._end = start, end
        self._unreadable: Unreadable | None = None

    def begin(self) -> bool:
        """Send what goes without waiting; False when nothing does. Raises ConnectionResetError; what cannot be read is
        left to `finish`."""
        try:
            sent = self._sender.some_bytes(self._head)
            self._head = self._head[sent:]
            while sent and not self._head and not self.over and self.count < WINDOW:
                span = self._blob.span(self._start + self.count, min(self._end, self._start + self.count + WINDOW))
                if not span.in_memory(span.offset, span.count):
                    break
                more = self._sender.some(span.fd, span.offset, span.count)
                if not more:
                    break
                self.count += more
        except Unreadable as exc:
            self._unreadable = exc
            self._blob.leave()
            return True
        except BaseException:
            self._blob.leave()
            raise
        if self.over or not sent:
            self._blob.leave()
        return bool(sent)

    @property
    def over(self) -> bool:
        """True when all is out."""
        return not self._head and self._start + self.count == self._end

    async def mend(self, source: Source | None) -> bool:
        """Send what is left from there, where the file could not be read; False where there is none. Raises as
        `finish`, and MirrorError."""
        if source is None:
            return False
        try:
            await self._sender.send_bytes(self._head)
            self._head = b""
            async with aclosing(source.read(self._start + self.count, self._end)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, bytes | memoryview):
                        await self._send(bytes(piece))
                    else:
                        await self._chunks(piece)
        finally:
            await source.close()
        return self.over

    async def finish(self) -> None:
        """Send what is left. Raises as `begin`, whose Unreadable it raises again."""
        if self._unreadable is not None:
            raise self._unreadable
        try:
            await self._sender.send_bytes(self._head)
            self._head = b""
            while not self.over:
                span = self._blob.span(self._start + self.count, min(self._end, self._start + self.count + WINDOW))
                if span.in_memory(span.offset, span.count):
                    await self._sender.send(span.fd, span.offset, span.count)
                    self.count += span.count
                else:
                    await self._chunks(span)
        except Unreadable as exc:
            self.count += exc.sent
            raise
        finally:
            self._blob.leave()

    async def _chunks(self, span: Span) -> None:
        async for chunk in span.chunks():
            await self._send(chunk)

    async def _send(self, chunk: bytes) -> None:
        await self._sender.send_bytes(chunk)
        self.count += len(chunk)
