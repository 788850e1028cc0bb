"""The client that all requests to origins share, and those before it, which end when their last answer does."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from contextlib import suppress

import httpx

from .cookieless import Client
from .errors import Unavailable
from .transport import OriginSettings, default_transport

__all__ = ["Shared"]

_LOOK_EVERY = 1.0
"""Seconds between looks whether an answer of a former client is still open."""


class Shared:
    """See the module. `transport`: the one to use, whatever the settings say."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._client: Client | None = None
        self._sending: dict[Client, int] = {}  # requests whose head has not come
        self._answers: dict[Client, weakref.WeakSet[httpx.Response]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def prepare(self, settings: OriginSettings) -> Callable[[], None]:
        """Make a client with these settings; the call of what is returned puts it in the place of the one before.
        Blocks; ConfigError where the settings cannot be used."""
        client = Client(transport=self._transport or default_transport(settings), trust_env=False)

        def commit() -> None:
            before, self._client = self._client, client
            self._sending[client], self._answers[client] = 0, weakref.WeakSet()
            if before is not None:
                task = asyncio.get_running_loop().create_task(self._leave(before))
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)

        return commit

    async def send(self, ask: Callable[[], httpx.Request]) -> httpx.Response:
        """The response, its body unread. Raises as httpx does; Unavailable where no client is open."""
        client = self._client
        if client is None:
            raise Unavailable("the client for origins is not open")
        self._sending[client] += 1
        try:
            response = await client.send(ask(), stream=True)
        finally:
            self._sending[client] -= 1
        self._answers[client].add(response)
        return response

    async def _leave(self, client: Client) -> None:
        while self._sending[client] or any(not answer.is_closed for answer in self._answers[client]):  # noqa: ASYNC110
            # Who closes an answer tells nobody: a former client is rare, and may be looked at.
            await asyncio.sleep(_LOOK_EVERY)
        await self._close(client)

    async def _close(self, client: Client) -> None:
        self._sending.pop(client, None)
        self._answers.pop(client, None)
        if self._transport is None or client is self._client:
            await client.aclose()

    async def close(self) -> None:
        """Close all connections; answers that are still open break off."""
        for task in self._leaving:
            task.cancel()
        for task in list(self._leaving):
            with suppress(asyncio.CancelledError):
                await task
        for client in list(self._answers):
            await self._close(client)
        self._client = None
