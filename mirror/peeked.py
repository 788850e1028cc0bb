"""The beginning of a body, looked at before anybody else gets it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mirror.ports import Answer

PEEK = 512
ENOUGH = 64  # bytes by which every kind of file can be told


class Peeked:
    """An answer of which the first chunks were already looked at."""

    def __init__(self, answer: Answer, chunks: AsyncIterator[bytes], first: bytes) -> None:
        self.head, self.url, self.length, self.delimited = answer.head, answer.url, answer.length, answer.delimited
        self.aclose, self.narrow, self.arrived = answer.aclose, answer.narrow, answer.arrived
        self._first = first
        self._rest = chunks

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._first:
            yield self._first
        async for chunk in self._rest:
            yield chunk


async def peek(answer: Answer) -> tuple[Peeked, bytes]:
    """The answer again, and its first bytes."""
    chunks = answer.chunks()
    first = b""
    try:
        while len(first) < ENOUGH and (chunk := await anext(chunks, b"")):
            first += chunk
    except BaseException:
        await answer.aclose()
        raise
    return Peeked(answer, chunks, first), first[:PEEK]
