"""Bytes that are promised to who is about to write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.errors import NoRoom

if TYPE_CHECKING:
    from mirror.evict import Room


class Reservation:
    """Bytes that one partial of a mirror may write."""

    __slots__ = ("_room", "count", "mirror", "released", "written")

    def __init__(self, room: Room, mirror: str = "") -> None:
        self._room = room
        self.mirror = mirror
        self.count = 0
        self.written = 0
        self.released = False

    async def grow(self, count: int, body: int | None = None) -> None:
        """Reserve up to `count` bytes in all, for an object whose body has `body` of them (None: all).

        NoRoom when even evicting would not make them free, the mirror's share is too small, or the body is larger than
        `max_object`.
        """
        size, most = count if body is None else body, self._room.limits.max_object
        if size > most:
            raise NoRoom(f"{size} bytes are more than max_object ({most})")
        if count > self.count:
            await self._room.take(self, count)

    def release(self) -> None:
        """Give back what was reserved; idempotent."""
        self._room.give_back(self)
