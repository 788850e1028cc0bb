"""Where copies of advisories are that others publish, and what their origins said of them."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mirror.reach import Reach, Route, literal

FIELDS = (("etag", "if-none-match"), ("last-modified", "if-modified-since"))
"""What an origin says of a copy, and how it is asked by it whether there is another one (RFC 9110 §13)."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Where a copy of what is at `url` is: `path`, and beside it what its origin said of it."""

    url: str
    path: Path

    @property
    def note(self) -> Path:
        return self.path.with_suffix(".head")

    @property
    def route(self) -> Route:
        """To public addresses alone; what is written as an address is meant."""
        parts = urlsplit(self.url)
        trusted = frozenset({(parts.scheme, parts.netloc)} if literal(parts.hostname or "") else ())
        return Route(reach=Reach(private=False, trusted=trusted))

    def known(self) -> dict[str, str]:
        """The fields with which it is asked whether there is another one; none where there is no copy."""
        with suppress(OSError, ValueError):
            told = json.loads(self.note.read_text())
            if self.path.is_file() and isinstance(told, dict):
                return {name: text for name, text in told.items() if isinstance(text, str)}
        return {}

    def age(self, now: float) -> float | None:
        """Seconds since its origin last said that it is the right one; None where there is no copy."""
        try:
            return max(0.0, now - self.note.stat().st_mtime) if self.path.is_file() else None
        except OSError:
            return None


def copy(url: str, folder: Path) -> Copy:
    """The copy in the folder of what is at that URL."""
    return Copy(url, folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.osv")
