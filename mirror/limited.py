"""A request's body that may not be larger than what its plan allows."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mirror.errors import TooLarge
from mirror.ports import Upload


class Limited:
    """An upload that breaks off behind `most` bytes; `exceeded` is then why: who sends it may call it what it likes."""

    def __init__(self, upload: Upload, most: int) -> None:
        self.exceeded: TooLarge | None = None
        self.upload = Upload(upload.length, self._chunks(upload.chunks, most))

    async def _chunks(self, chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > most:
                self.exceeded = TooLarge(f"the request has more than {most} bytes, which is too many here")
                raise self.exceeded
            yield chunk
