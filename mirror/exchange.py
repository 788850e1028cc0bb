"""One response on one connection, mending what aiohttp 3.14 leaves: it hangs up at once, and tells of every break."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

__all__ = ["Exchange", "Handler", "Interim", "listening"]

_SWITCHING = 101
_MOST_HEADS = 5000
"""Interim responses before a final one, and blank lines before a head: who sends more of them has none."""
_BLANK_LINE = re.compile(rb"\n\r?\n")


Interim = Callable[[int, tuple[tuple[bytes, bytes], ...]], None]
"""Is told the status and the fields of an interim response."""

_listener: ContextVar[Interim | None] = ContextVar("interim", default=None)


@contextmanager
def listening(interim: Interim | None) -> Iterator[None]:
    """Whom the exchanges that are begun within tell of interim responses: aiohttp makes them, and hands nothing on."""
    token = _listener.set(interim)
    try:
        yield
    finally:
        _listener.reset(token)


class Handler(ResponseHandler):
    """A connection that tells of interim responses, and whose bodies end where they were said to.

    aiohttp passes interim responses over without a word, and gives a whole response up where bytes follow its body:
    its parser takes them for the next response, in vain. They are nobody's (RFC 9112 §9.2), and the connection is not
    used again.
    """

    interim: Interim | None = None
    _heads = 0  # that came since the request
    _heading = False  # a head is being read
    _seen = b""  # the last bytes of it, in which its end may have begun
    _left: int | None = None  # bytes of the body that are still to come; None: its end is the parser's to find

    async def read(self) -> Any:
        message, payload = await super().read()
        if self.interim is not None and 100 < message.code < 200 and message.code != _SWITCHING:
            self.interim(message.code, message.raw_headers)
        return message, payload

    def set_response_params(self, **params: Any) -> None:
        self._heading, self._heads, self._seen, self._left = True, 0, b"", None
        super().set_response_params(**params)

    def feed_data(self, data: Any, size: int = 0) -> None:
        message, payload = data
        if message.code >= 200:
            self._heading = False
            lengths = message.headers.getall("Content-Length", ())
            if payload is aiohttp.streams.EMPTY_PAYLOAD:
                self._left = 0
            elif len(lengths) == 1 and lengths[0].isdigit() and "Transfer-Encoding" not in message.headers:
                self._left = int(lengths[0])
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        at = 0
        while self._heading and at < len(data):
            end = self._end_of_head(data, at)
            if self._heads > _MOST_HEADS:
                self.abort()
                self.set_exception(aiohttp.ClientPayloadError("heads without end"))
                return
            super().data_received(data[at:end])
            at = end
        if at:
            data = data[at:]
            if not data:
                return
        if self._left is not None:
            if len(data) > self._left:
                self.force_close()
                data = data[: self._left]
            self._left -= len(data)
        super().data_received(data)  # of no data, too: with that aiohttp itself goes on with what it has

    def _end_of_head(self, data: bytes, at: int) -> int:
        """Where in `data` the head ends that goes on at `at`: at its end, where that is still to come. Nothing is
        copied for it but a few bytes: one piece may hold a hundred thousand of them."""
        before, seam = len(self._seen), self._seen + data[at : at + 3]
        across = _BLANK_LINE.search(seam) if before else None
        found = across or _BLANK_LINE.search(data, at)
        if found is None:
            self._seen = seam[-3:] if len(data) - at < 3 else data[-3:]
            return len(data)
        self._seen = b""
        self._heads += 1
        return at + found.end() - before if across else found.end()


class Exchange(aiohttp.ClientResponse):
    """A response that leaves no connection behind and takes no answer for its own that came before the question."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        protocol = connection.protocol
        try:
            _check(protocol)
            if isinstance(protocol, Handler):
                protocol.interim = _listener.get()
            await super().start(connection)
        except BaseException:
            _abort(connection)
            raise
        finally:
            if isinstance(protocol, Handler):
                protocol.interim = None
        if self._protocol is not None and not self.content.is_eof():
            _watch(self._protocol, self.content)
        return self

    def hang_up(self) -> None:
        """Give the response up; the connection goes back to the pool only where the body has come to its end."""
        _abort(self.connection)
        self.close()


def _check(protocol: ResponseHandler | None) -> None:
    """ServerDisconnectedError, after which aiohttp asks once more elsewhere, where there is an answer already.

    (1) A request is answered, its connection rests in the pool. (2) The origin sends a further answer. (3) aiohttp
    sends the next request on that connection, and would take (2) for its answer (RFC 9112 §9.2).
    """
    if protocol is not None and protocol.should_close and protocol.exception() is None:
        raise aiohttp.ServerDisconnectedError


def _abort(connection: Connection | None) -> None:
    """End a connection now: to close it in good order takes 30 s where a TLS peer keeps silent."""
    if connection is not None and connection.transport is not None:
        connection.transport.abort()


def _watch(protocol: ResponseHandler, content: aiohttp.StreamReader) -> None:
    """Break the body off where aiohttp would wait for ever, or call it complete.

    It does not tell the body's reader of a chunk that cannot be parsed (unless it came together with the head), nor of
    a reset in a body that ends with its connection.
    """

    def lost(_: object = None) -> None:
        if content.exception() is None and (not content.is_eof() or isinstance(protocol.exception(), OSError)):
            content.set_exception(aiohttp.ClientPayloadError("the body broke off"))

    closed = protocol.closed
    if closed is None:  # it is lost already
        lost()
        return
    closed.remove_done_callback(_heard)  # there may be one of an earlier response
    closed.add_done_callback(_heard)
    closed.add_done_callback(lost)
    content.on_eof(partial(_forget, closed, lost))


def _forget(closed: asyncio.Future[None], callback: Callable[[object], None]) -> None:
    closed.remove_done_callback(callback)


def _heard(closed: asyncio.Future[None]) -> None:
    """Look at the exception of a lost connection: else asyncio logs that nobody did."""
    if not closed.cancelled():
        closed.exception()
