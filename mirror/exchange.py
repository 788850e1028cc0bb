"""One response on one connection, mending what aiohttp 3.14 leaves: it hangs up at once, and tells of every break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

__all__ = ["Exchange"]


class Exchange(aiohttp.ClientResponse):
    """A response that leaves no connection behind and takes no answer for its own that came before the question."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        try:
            _check(connection.protocol)
            await super().start(connection)
        except BaseException:
            _abort(connection)
            raise
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
