"""The part of a connection that sends prepared replies: before a request is parsed, without a task where it can."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import is_ssl

from mirror.errors import MirrorError, StoreError, Unreadable
from mirror.server.cycle import reset
from mirror.server.direct import Direct
from mirror.server.hot import Hot, Kept
from mirror.server.limits import Limits
from mirror.server.zerocopy import FileSender


def _address(name: object) -> Any:
    """Host and port; of a socket in the file system its path and None."""
    if isinstance(name, tuple):
        return str(name[0]), int(name[1])
    return (name, None) if isinstance(name, str) and name else None


class PreparedProtocol(HttpToolsProtocol):
    """See the module. A connection with `_direct` reads no request before that has ended."""

    _direct: asyncio.Task[None] | None = None  # the rest of a prepared reply is on its way
    _count = 0  # requests that were begun, or answered before that
    _file_sender: FileSender | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's, which it takes the place of: that one asks the socket for addresses that the transport knows,
        and each question lets another thread go first."""
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = _address(transport.get_extra_info("sockname"))
        self.client = _address(transport.get_extra_info("peername"))
        self.scheme = "https" if is_ssl(transport) else "http"
        self.limits: Limits = self.config.limits  # type: ignore[attr-defined]
        self._hot: Hot = self.config.hot  # type: ignore[attr-defined]
        self._place = (self.scheme, self.server)
        self._table = self._hot.table(self._place)
        self._client = self.client[0] if self.client else "-"

    def _sends_files(self) -> FileSender:
        if self._file_sender is None:
            self._file_sender = FileSender(self.transport, self.loop, self.flow.drain)
        return self._file_sender

    def _reset_now(self) -> None:
        """So that nobody can take the response for complete."""
        if not self.transport.is_closing():
            reset(self.transport)

    def _answered(self, kept: Kept, head: bytes) -> bool:
        """Whether the request has been answered with its prepared reply."""
        if self._direct is not None or self.flow.write_paused or self.transport.is_closing():
            return False
        now = self._hot.wall()
        if not kept.ready(now):
            self._hot.drop((self._place, head))
            return False
        if kept.part is None:
            self.transport.write(kept.wire)
            kept.sent(self._client, now)
        elif not self._begun(kept, *kept.part):
            return False
        self._count += 1
        return True

    def _begun(self, kept: Kept, start: int, end: int) -> bool:
        """Whether a reply from a file is on its way, of which the rest may go in a task."""
        if self.scheme != "http" or self.transport.get_write_buffer_size() or (blob := kept.reply.at_hand()) is None:
            return False
        direct = Direct(self._sends_files(), kept.wire, blob, start, end)
        began = self.loop.time()
        try:
            if not direct.begin():
                return False
        except (ConnectionError, StoreError):
            self._reset_now()
            kept.sent_part(self._client, self._hot.wall(), direct.count, 0.0, whole=False)
            return True
        if direct.over:
            kept.sent_part(self._client, self._hot.wall(), direct.count, self.loop.time() - began, whole=True)
            return True
        self._direct = self.loop.create_task(self._rest(kept, direct, began))
        self.flow.pause_reading()
        return True

    async def _rest(self, kept: Kept, direct: Direct, began: float) -> None:
        try:
            await direct.finish()
        except Unreadable:
            await self._mend(kept, direct)
        except (ConnectionError, StoreError):
            self._reset_now()
        finally:
            self._direct = None
            spent = self.loop.time() - began
            kept.sent_part(self._client, self._hot.wall(), direct.count, spent, whole=direct.over)
            self._go_on()

    async def _mend(self, kept: Kept, direct: Direct) -> None:
        """What is stored cannot be read: the rest comes from the origin, if that has the same."""
        try:
            if not await direct.mend(await kept.reply.again()):
                self._reset_now()
        except (ConnectionError, MirrorError):
            self._reset_now()

    def _go_on(self) -> None:
        """Read the next request, which may have come already."""
        raise NotImplementedError
