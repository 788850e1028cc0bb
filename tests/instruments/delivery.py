"""How one answer travels: head, body at its pace, and the fault that ends it; counted as the kernel takes the bytes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from email.utils import formatdate

from .answers import BODILESS, Answer
from .log import Record
from .shapes import Shape
from .wire import Wire

PIECE = 262_144
_REASONS = {200: "OK", 206: "Partial Content", 304: "Not Modified", 404: "Not Found", 416: "Range Not Satisfiable"}


@dataclass(slots=True)
class Delivery:
    """Sends `answer` in `shape`; `spent` are the cuts that were made, `gate` is what a hold waits for."""

    wire: Wire
    answer: Answer
    shape: Shape
    record: Record
    keep: bool
    spent: set[int]
    gate: asyncio.Event

    async def run(self) -> bool:
        """Sends it all, or up to its fault; True where the connection can go on. ConnectionError if the client left."""
        if self.shape.wait:
            await self.wire.wait(asyncio.sleep(self.shape.wait))
        if self.shape.drop:
            return False
        await self.wire.send(self._head())
        if self.record.method == "HEAD" or self.answer.status in BODILESS:
            return self.keep
        if not await self._body():
            return False
        if self.chunked and not self.shape.noterm:
            await self.wire.send(b"0\r\n\r\n")
        await self.wire.send(b"x" * self.shape.extra)
        return self.keep and not self.shape.close and not self.shape.noterm and self.shape.length < 0

    @property
    def chunked(self) -> bool:
        return (self.shape.chunked or self.shape.noterm or self.shape.infinite) and not self.shape.close

    def _head(self) -> bytes:
        status, length = self.answer.status, self.answer.end - self.answer.start
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Scripted')}", f"Date: {formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in self.answer.fields]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif status not in BODILESS and not self.shape.close:
            lines.append(f"Content-Length: {self.shape.length if self.shape.length >= 0 else length}")
        if self.shape.close or not self.keep:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def _body(self) -> bool:
        """Sends the body, step by step; False where a fault ended it."""
        position, began = self.answer.start, time.monotonic()
        for offset, what in self.shape.steps(position, self.answer.end, self.answer.thing.size):
            await self._pour(position, offset, began)
            position = offset
            match what:
                case "hold":
                    await self.wire.wait(self.gate.wait())
                case "stall":
                    await self.wire.wait(asyncio.Event().wait())
                case "reset":
                    self.wire.linger()
                    return False
                case "cut":
                    return False
                case "once" if offset not in self.spent:
                    self.spent.add(offset)
                    return False
        await self._pour(position, self.answer.end, began)
        return True

    async def _pour(self, start: int, end: int, began: float) -> None:
        """Sends the object's bytes [start, end) at the shape's pace, from one buffer that is refilled."""
        rate = self.shape.trickle or self.shape.rate
        piece = 1 if self.shape.trickle else min(PIECE, max(1, int(rate / 20))) if rate else PIECE
        buffer = memoryview(bytearray(min(piece, end - start)))
        for offset in range(start, end, piece):
            view = buffer[: end - offset]
            self._fill(view, offset)
            if self.chunked:
                await self.wire.send(b"%x\r\n" % len(view))
            await self.wire.send(view, self.record.took)
            if self.chunked:
                await self.wire.send(b"\r\n")
            done = offset + len(view) - self.answer.start
            await asyncio.sleep(max(0.0, began + done / rate - time.monotonic()) if rate else 0)

    def _fill(self, view: memoryview, offset: int) -> None:
        self.answer.into(view, offset)
        if offset <= self.shape.flipbyte < offset + len(view):
            view[self.shape.flipbyte - offset] ^= 0xFF
