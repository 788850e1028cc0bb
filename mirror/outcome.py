"""What became of a request: for Cache-Status, the log and the metrics. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request; `str()` is the Cache-Status member (RFC 9211 §2), log field and metric label."""

    hit: bool = False
    fwd: str = ""
    fwd_status: int = 0
    stored: bool = False
    collapsed: bool = False
    ttl: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        parts = ["mirror"]
        parts += ["hit"] if self.hit else []
        parts += [f"fwd={self.fwd}"] if self.fwd else []
        parts += [f"fwd-status={self.fwd_status}"] if self.fwd_status else []
        parts += [f"ttl={self.ttl}"] if self.ttl is not None else []
        parts += ["stored"] if self.stored else []
        parts += ["collapsed"] if self.collapsed else []
        parts += [f"detail={self.detail}"] if self.detail else []
        return "; ".join(parts)

    @property
    def x_cache(self) -> str:
        """The one word for the eye: HIT, MISS, STALE, REVALIDATED or BYPASS."""
        if self.hit:
            return "STALE" if self.ttl is not None and self.ttl < 0 else "HIT"
        if self.fwd == "stale" and self.fwd_status == 304:
            return "REVALIDATED"
        return "BYPASS" if self.fwd in ("bypass", "method", "request") else "MISS"
