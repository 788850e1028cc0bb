"""Instants as documents write them (ISO 8601, RFC 3339), and as seconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime


def seconds(text: object) -> float | None:
    """The instant, or None where the text names none. Without a zone it is none: nobody says whose day it is."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
        return None if found.tzinfo is None else found.timestamp()
    except (ValueError, OverflowError):
        return None


def written(instant: float) -> str:
    """The instant to the millisecond, as npm writes it and PEP 700 allows."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
