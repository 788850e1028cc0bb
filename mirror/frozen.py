"""A mirror as of a day: `/pypi@2026-11-01/` is `/pypi/` less what was published after that day.

Same name, upstreams, keys and stored bytes: only its gate is another one. So a variant is made for each request that
asks for one, and nobody has to keep any.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import inf, nextafter
from urllib.parse import unquote

from mirror.errors import NotFound
from mirror.model import Mirror
from mirror.policy.frozen import AsOf, Frozen

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(rf"{_DAY.pattern}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}Z")
_DATED = ("pypi", "npm", "apt")


def split(segment: str) -> tuple[str, str]:
    """The name of a mirror and the cut-off in the first segment of a raw path, "" where it has none."""
    name, at, text = unquote(segment).partition("@")
    return (name, text) if at else (segment, "")


def mirror(mirrors: Mapping[str, Mirror], segment: str, now: float) -> tuple[Mirror, str] | None:
    """The mirror that `NAME@DATE` means, and the segment in its one spelling; None where no mirror has that name.

    NotFound where that is no day or instant, or lies ahead of `now` (seconds since the epoch; a day that has begun does
    not), or the mirror does not know what there was then.
    """
    name, at, text = unquote(segment).partition("@")
    known = mirrors.get(name)
    if not at or known is None:
        return None
    return as_of(known, text, now), f"{name}@{text}"


def as_of(known: Mirror, text: str, now: float) -> Mirror:
    """See `mirror`."""
    if known.ecosystem not in _DATED:
        kinds = ", ".join(_DATED)
        raise NotFound(f"/{known.name}/ is of ecosystem {known.ecosystem}: only {kinds} can be asked as of a day")
    begin, end = _read(text, known.name)
    if begin > now:
        raise NotFound(f"/{known.name}@{text}/: that is in the future: nobody knows what there will be")
    cut = AsOf(end, text)
    if known.ecosystem == "apt":  # whose index has no dates: what counts is which release was served then
        if not known.snapshots:
            raise NotFound(f'/{known.name}/ keeps no releases of the past: `snapshots = "30d"` of the mirror would')
        return replace(known, as_of=cut)
    return replace(known, gate=Frozen(known.gate, cut), as_of=cut)


def plain(frozen: Mirror) -> Mirror:
    """The mirror of which this is a variant."""
    return replace(frozen, gate=frozen.gate.known if isinstance(frozen.gate, Frozen) else frozen.gate, as_of=None)


def _read(text: str, name: str) -> tuple[float, float]:
    """When it begins, and the first instant that it leaves out; both in seconds since the epoch."""
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text)
            begin = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
            return begin, begin + timedelta(days=1).total_seconds()
        if _INSTANT.fullmatch(text):
            instant = datetime.fromisoformat(text).timestamp()
            return instant, nextafter(instant, inf)
    except ValueError:
        pass
    shown = text[:40] if text.isprintable() else "what follows the @"
    raise NotFound(f"/{name}@...: {shown!r} is no day (2026-11-01) and no instant (2026-11-01T12:00:00Z, in UTC)")
