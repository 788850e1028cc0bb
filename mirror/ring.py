"""The newest chunks of one segment, in memory: what followers at the live edge are served from. Pure."""

from __future__ import annotations

from bisect import bisect_right


class Ring:
    """Chunks of one contiguous run `[start, end)`; the oldest are dropped when told."""

    __slots__ = ("_chunks", "_offsets", "end", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self._offsets: list[int] = []
        self._chunks: list[bytes] = []

    @property
    def size(self) -> int:
        """Bytes held."""
        return self.end - self.start

    def append(self, chunk: bytes) -> None:
        """The bytes that follow `end`."""
        self._offsets.append(self.end)
        self._chunks.append(chunk)
        self.end += len(chunk)

    def slice(self, at: int, end: int) -> memoryview | None:
        """Bytes from `at`, to `end` or to the end of one chunk, without copying; None when `at` is not held."""
        if not self.start <= at < self.end:
            return None
        index = bisect_right(self._offsets, at) - 1
        offset, chunk = self._offsets[index], self._chunks[index]
        return memoryview(chunk)[at - offset : end - offset]

    def drop(self, mark: int, keep: int) -> None:
        """Let go of the oldest whole chunks that end at or before `mark`, while more than `keep` bytes are held."""
        count = 0
        while count < len(self._chunks) and self.end - self.start > keep:
            after = self.start + len(self._chunks[count])
            if after > mark:
                break
            self.start = after
            count += 1
        del self._chunks[:count], self._offsets[:count]
