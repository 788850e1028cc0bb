"""An open response of an origin: its head, and its body as it comes, at a minimum rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Self

import httpx

from .counters import Counted
from .errors import OriginError, OriginTimeout, Truncated
from .failures import fault, reason
from .framing import framing, host
from .model import Head
from .transport import OriginSettings

__all__ = ["Answer", "shut"]


class Answer:
    """An open response of an origin. Whoever has it closes it: till then it holds one of the upstream's connections.

    `head` is without the hop-by-hop fields. `url` is the entry of `urls` that answered. `length` is the body's length
    in bytes where it was announced (0 where there can be no body), else None. `delimited` is False where only the end
    of the connection ends the body, which can then not be known to be complete (RFC 9112 §8).
    """

    def __init__(
        self,
        response: httpx.Response,
        head: Head,
        url: str,
        settings: OriginSettings,
        leave: Callable[[], None],
        counted: Counted,
    ) -> None:
        """`leave` gives the place among the upstream's connections back.

        `counted` is told of the bytes of the body, as they come, and of what breaks it off."""
        self.head = head
        self.url = url
        self.length, self.delimited = framing(response)
        self._response = response
        self._settings = settings
        self._leave: Callable[[], None] | None = leave
        self._counted = counted

    async def arrived(self, most: int, patience: float) -> bytes | None:
        """The whole body, where it has at most `most` bytes and is here already, or within `patience` seconds where its
        length is known; else None, and `chunks` has it. Raises Truncated."""
        arrived = self._response.extensions.get("arrived")
        if arrived is None or not self.delimited or (self.length or 0) > most:
            return None
        body: bytes | None = await arrived(0.0 if self.length is None else patience)
        if body is not None and self.length not in (None, len(body)):
            raise self._told(Truncated(f"{self._host} sent {len(body)} bytes and had announced {self.length}"))
        self._counted.fetched(len(body or b""))
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it was sent, never decoded; once. Raises Truncated, OriginTimeout or another OriginError.

        Only waiting for the origin counts towards the minimum rate, not the time that the reader takes between chunks.
        """
        window, need = self._settings.min_rate_window, self._settings.min_rate * self._settings.min_rate_window
        assert isinstance(self._response.stream, httpx.AsyncByteStream)  # noqa: S101 - an AsyncClient has no other
        source = aiter(self._response.stream)
        waited, got, total = 0.0, 0, 0
        while True:
            started = time.monotonic()
            # Nothing arrives while a pull waits, so it is known now which window a silent origin fails in.
            chunk = await self._pull(source, window - waited + (window if got >= need else 0.0))
            if chunk is None:
                break
            waited += time.monotonic() - started
            if waited >= window:
                waited, got = waited % window, 0
            self._counted.fetched(len(chunk))
            got += len(chunk)
            total += len(chunk)
            yield chunk
        if self.length is not None and total != self.length:
            raise self._told(Truncated(f"{self._host} sent {total} bytes and had announced {self.length}"))

    @property
    def _host(self) -> str:
        return host(self._response.url)

    def _told(self, failure: OriginError) -> OriginError:
        self._counted.failed(fault(failure) or "invalid")
        return failure

    async def _pull(self, source: AsyncIterator[bytes], patience: float) -> bytes | None:
        try:
            async with asyncio.timeout(patience):
                return await anext(source, None)
        except (TimeoutError, httpx.TimeoutException) as exc:
            slow = OriginTimeout(f"{self._host} sent less than {self._settings.min_rate:g} bytes per second")
            raise self._told(slow) from exc
        except (httpx.RequestError, OSError) as exc:
            raise self._told(Truncated(f"{self._host} broke off in mid-body ({reason(exc)})")) from exc

    def narrow(self, count: int) -> None:
        """Only about `count` bytes more are wanted: have the origin send no more than that ahead, where possible."""
        narrow = self._response.extensions.get("narrow")
        if narrow is not None:
            narrow(count)

    def leave_gate(self) -> None:
        """Give the place among the upstream's connections back although the response stays open."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    async def aclose(self) -> None:
        """Close the response and give its place back; may be called again."""
        try:
            await shut(self._response)
        finally:
            self.leave_gate()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def shut(response: httpx.Response) -> None:
    """Close a response whose connection may be broken already. What it was made of, and who asked, know it no more:
    no collector has to find that out."""
    try:
        with suppress(httpx.HTTPError, OSError):
            await response.aclose()
    finally:
        response.stream = httpx.ByteStream(b"")
        response.extensions.clear()
        response.request.extensions.clear()
