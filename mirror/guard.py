"""Looks names up, and lets nobody connect to what is not public."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from .failures import PrivateAddress
from .reach import public

__all__ = ["Guard"]


class Guard(AbstractResolver):
    """A resolver all of whose answers are public addresses: one other, and the name is refused whole."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name; PrivateAddress where one of them may not be connected to."""
        found = await self._resolver.resolve(host, port, family)
        hidden = [each["host"] for each in found if not public(each["host"])]
        if hidden:
            raise PrivateAddress(None, hidden[0])
        return found

    async def close(self) -> None:
        await self._resolver.close()
