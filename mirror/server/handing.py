"""Connections that go from one process of a server to another: between responses, with what was read of the next."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from mirror.errors import Elsewhere
from mirror.server.channel import Channel
from mirror.server.cycle import Cycle
from mirror.server.direct import Direct
from mirror.server.hot import Kept, head_of
from mirror.server.protocol import MirrorProtocol


class HandingProtocol(MirrorProtocol):
    """A connection that can be handed over. `way` is where to, as soon as it rests; None: it stays."""

    way: Channel | None = None
    _came_with: bytes | None = None  # read elsewhere, and not answered; None: the connection began here
    _leaving = False
    _left = b""  # what goes along when it leaves

    def came(self, data: bytes, way: Channel | None) -> None:
        """It comes from another process, which has read that of it. To be called before `connection_made`."""
        self._came_with, self.way = data, way

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._came_with is not None:
            self.loop.call_soon(self._begin)

    @property
    def _continued(self) -> bool:
        return self._came_with is not None

    def _begin(self) -> None:
        """Go on with what another process has read, unless the client sent more, and was faster."""
        came, self._came_with = self._came_with, None
        if self.transport.is_closing():
            return
        if came:
            self.data_received(came)
        elif came is not None:
            self._count = 1  # it has asked before: it may rest
            self._rested()

    def data_received(self, data: bytes) -> None:
        if self._came_with is not None:
            data, self._came_with = self._came_with + data, None
        if self._leaving:
            self._left += data
        else:
            super().data_received(data)
            self._rested()

    def _go_on(self) -> None:
        super()._go_on()
        if self._leaving:
            self.flow.pause_reading()

    def _gone(self) -> bool:
        return self._leaving or super()._gone()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._rested()

    async def _rest(self, kept: Kept, direct: Direct, began: float) -> None:
        try:
            await super()._rest(kept, direct, began)
        finally:
            self._rested()

    def _rested(self) -> None:
        """Hand it over, if that is to be and nothing is to be done for it here."""
        if self.way is not None and self._came_with is None and self._idle():
            self._leave(self.way, b"")

    def retire(self, way: Channel) -> None:
        """Hand it over as soon as it rests."""
        self.way = self.way or way
        self._rested()

    @property
    def answering(self) -> bool:
        """True also while it is on its way to another process."""
        return self._leaving or super().answering

    def _leave(self, way: Channel, data: bytes) -> None:
        if self._leaving or self.transport.is_closing():
            return
        self._leaving, self._left = True, data
        self._unset_keepalive_if_required()
        self.flow.pause_reading()  # what comes from now on stays in the kernel, for the other process
        task = self.loop.create_task(self._handed(way))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _handed(self, way: Channel) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.set_write_buffer_limits(0)  # writing is resumed when all is out, not before
            await self.flow.drain()
        if self.transport.is_closing():
            return
        connection = os.dup(self.transport.get_extra_info("socket").fileno())
        try:
            await way.hand_over(connection, self._left)
        finally:
            os.close(connection)
            # Without a shutdown, which would end the connection for the other process too.
            self.transport.abort()


class FrontProtocol(HandingProtocol):
    """A connection of a process that can only read: a whole request for something fresh is answered here, what is
    anything else, or turns out to be, elsewhere."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._holder: Channel = self.config.holder  # type: ignore[attr-defined]

    def _parse_piece(self, piece: bytes) -> None:
        if piece in self._table or _readable(piece):
            super()._parse_piece(piece)
        else:
            self._leave(self._holder, piece + self._held[self._at :])

    def _application(self, cycle: Cycle) -> Any:
        app = super()._application(cycle)

        async def answering(*call: Any) -> None:
            try:
                await app(*call)
            except Elsewhere:
                self._elsewhere(cycle)

        return answering

    def _elsewhere(self, cycle: Cycle) -> None:
        """Nothing of the response is out: the request begins again there."""
        cycle.disconnected = True  # nothing more is said here
        self._leave(self._holder, (self._head or b"") + self._held[self._at :])


def _readable(data: bytes) -> bool:
    """Whether that is one whole request, without a body, that a process may be able to answer by reading."""
    if head_of(data) is None or b" /" not in data[:6]:
        return False
    if data.startswith(b"/-/", data.index(b" ") + 1) and data.split(b" ", 2)[1] != b"/-/health":
        return False
    fields = data.lower()
    return not any(name in fields for name in (b"\ncontent-length", b"\ntransfer-encoding", b"\nexpect", b"\nupgrade"))
