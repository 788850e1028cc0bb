"""What a client can take: the Accept field (RFC 9110 §12.5.1), its repeated lines already joined."""

from __future__ import annotations

import re

_QUALITY = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")


def ranges(field: str | None) -> dict[str, float]:
    """Media range -> quality, other parameters dropped; members with a malformed quality are left out."""
    found: dict[str, float] = {}
    for member in (field or "").split(","):
        media, *parameters = (part.strip().lower() for part in member.split(";"))
        written = [value.strip() for name, _, value in (p.partition("=") for p in parameters) if name.strip() == "q"]
        quality = written[0] if written else "1"
        if media and _QUALITY.fullmatch(quality):
            found[media] = max(found.get(media, 0.0), float(quality))
    return found


def quality(accepted: dict[str, float], media: str, *, anything: bool = True) -> float:
    """The quality that the most specific range gives `media`, else 0; without `anything`, `*/*` names nothing."""
    for candidate in (media, media.partition("/")[0] + "/*"):
        if candidate in accepted:
            return accepted[candidate]
    return accepted.get("*/*", 0.0) if anything else 0.0
