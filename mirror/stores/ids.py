"""Many ids of blobs, in little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left


class Ids:
    """Ids of blobs, eight bytes each. What is no id as this store makes them (16 hex digits) is never in it."""

    def __init__(self) -> None:
        self._ids = [array("Q") for _ in range(256)]

    def add(self, blob: str) -> None:
        if (value := _value(blob)) is not None:
            self._ids[value >> 56].append(value)

    def sort(self, first: int) -> None:
        """Those whose first byte it is; all must be sorted before anybody looks for one."""
        self._ids[first] = array("Q", sorted(self._ids[first]))

    def __contains__(self, blob: str) -> bool:
        value = _value(blob)
        if value is None:
            return False
        ids = self._ids[value >> 56]
        at = bisect_left(ids, value)
        return at < len(ids) and ids[at] == value


def _value(blob: str) -> int | None:
    try:
        return int(blob, 16) if len(blob) == 16 else None
    except ValueError:
        return None
