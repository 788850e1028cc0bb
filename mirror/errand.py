"""One request on its way through the cache: whose it is, what it means, what is stored for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mirror.httpcache.ranges import wanted
from mirror.model import Entry, Mirror, Plan, Request
from mirror.ports import Hop

CONDITIONS = ("range", "if-range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since")
"""What a client wants of an answer: the origin's to judge only where nothing of ours can."""


@dataclass(frozen=True, slots=True)
class Errand:
    """See the module. `entry` is what is stored for this request; without one, `others` are stored for other requests
    to the same address, which the origin may choose one of (RFC 9111 §4.3.1)."""

    mirror: Mirror
    plan: Plan
    request: Request
    hop: Hop = field(default_factory=Hop)
    entry: Entry | None = None
    others: tuple[Entry, ...] = ()

    def plain(self) -> Request:
        """The request as the key's fill makes it: what one client wants of the answer is not the others' concern."""
        return replace(self.request, method="GET", headers=self.request.headers.without(*CONDITIONS))

    def range(self) -> tuple[int, int | None] | None:
        """The range with which a cold object is begun, None for its beginning: a release is adopted whole."""
        if self.plan.rewrite is not None or self.plan.generation:  # it is a range of what will be made of the whole
            return None
        asked = wanted(self.request) if self.request.method == "GET" else None
        if asked is None or (asked[0] == 0 and (self.mirror.complete_ranges or asked[1] is None)):
            return None
        return asked
