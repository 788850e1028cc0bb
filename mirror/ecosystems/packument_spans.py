"""Where in a packument's text a member's value stands, told without a walk where that can be."""

from __future__ import annotations

import re

Span = tuple[int, int]

_MEMBERS = {name: re.compile(rf'"{name}"[ \t\n\r]*:[ \t\n\r]*"') for name in ("tarball", "url", "modified")}


def placed(text: str, start: int, name: str, value: object) -> Span | None:
    """The span of a member's value, where `text` (which begins at byte `start`) has just one such member, in whatever
    object; None where that cannot be told from the text alone.

    Without a \\u in it names stand there as they are; and a quote within a string is never the end of a name.
    """
    if not isinstance(value, str) or not value.isascii() or "\\u" in text:
        return None
    ends = [found.end() for found in _MEMBERS[name].finditer(text) if text.startswith(f'{value}"', found.end())]
    return (start + ends[0] - 1, start + ends[0] + len(value) + 1) if len(ends) == 1 else None
