"""The `time` of a packument: when it was modified and each version published, and where in the text that stands."""

from __future__ import annotations

from mirror.ecosystems.json_spans import Cursor
from mirror.ecosystems.packument_spans import Span, placed

Time = tuple[str | None, int, int]
"""A member's text, None where it is no string, and the span of its value. (The garbage collector lets go of a tuple of
such, but not of a named one: there are 50,000 of these.)"""


def modified(cursor: Cursor) -> Span | None:
    """Past the value that begins here: the span of its `modified`, which is a string; None where it has none."""
    start, times = cursor.at, cursor.value()
    if isinstance(times, dict):
        quick = placed(cursor.since(start), start, "modified", times.get("modified"))
        if quick is not None or "modified" not in times:
            return quick
    end = cursor.at
    cursor.go(start)
    try:
        return _by_members(cursor)
    finally:
        cursor.go(end)


def times(cursor: Cursor) -> tuple[dict[str, Time], bool]:
    """Past the value that begins here: its members, of those of one name the last; and whether there are such."""
    found: dict[str, Time] = {}
    twice = False
    if cursor.kind != "{":
        cursor.value()
        return found, twice
    for name in cursor.members():
        twice = twice or name in found
        start, text = cursor.at, cursor.string()
        found[name] = (text, start, cursor.at)
    return found, twice


def _by_members(cursor: Cursor) -> Span | None:
    found: Span | None = None
    if cursor.kind == "{":
        for name in cursor.members():
            if name == "modified":
                is_text, start = cursor.kind == '"', cursor.at
                cursor.value()
                found = (start, cursor.at) if is_text else None
    return found
