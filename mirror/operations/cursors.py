"""Where a page of a list ended, as text that means nothing to others. Pure."""

from __future__ import annotations

import base64
import binascii
import zlib

from mirror.errors import RequestError


def written(key: str) -> str:
    """The cursor for what comes behind that key."""
    text = key.encode()
    return base64.urlsafe_b64encode(zlib.crc32(text).to_bytes(4, "big") + text).decode().rstrip("=")


def read(cursor: str) -> str:
    """The key; "" for no cursor. RequestError for what `written` has not made."""
    if not cursor:
        return ""
    try:
        plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = plain[4:].decode()
    except (binascii.Error, ValueError) as exc:
        raise RequestError(f"cursor: {cursor[:100]!r} is none that a page ended with") from exc
    if written(key) != cursor:
        raise RequestError(f"cursor: {cursor[:100]!r} is none that a page ended with")
    return key
