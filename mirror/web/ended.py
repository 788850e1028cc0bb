"""A request from its beginning to its end: what is counted of it then, and said in the log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mirror.audit.handed import Handed
from mirror.counters import Counted
from mirror.outcome import Outcome
from mirror.web.access import Asked, Line
from mirror.web.replies import Sent

GONE = 499
"""What stands in the log for the status of an answer that nobody was there to get (a number of nginx's)."""


@dataclass(slots=True)
class Ended:
    """What there is to tell. `outcome` None: nothing, another process answers it. `word`: as X-Cache says it, or ERROR;
    "": that of the outcome. `handed`: the artifact that it is about, where a record is kept. `rule`: which rule of the
    policy has refused it."""

    sent: Sent
    counted: Counted
    outcome: Outcome | None = field(default_factory=lambda: Outcome(detail="error"))
    key: str = ""
    word: str = ""
    handed: Handed | None = None
    rule: str = ""
    began: float = field(default_factory=time.monotonic)

    def failed(self, detail: str) -> None:
        """It ends with an error of ours, or breaks off."""
        self.outcome, self.word = Outcome(detail=detail), "ERROR"

    def left(self) -> None:
        """The client has gone; where it did so before there was an answer, that is all there is to tell."""
        if not self.sent.status:
            self.sent.status, self.outcome = GONE, Outcome(detail="client-left")

    def withheld(self, rule: str) -> None:
        """That rule of the policy refuses it."""
        self.rule = rule
        self.counted.withheld(rule)

    @property
    def first(self) -> float:
        """Seconds until the first byte; where there was none, until now."""
        return (self.sent.first or time.monotonic()) - self.began

    def count(self) -> None:
        """Count it."""
        if self.outcome is not None:
            self.counted.answered(self.word or self.outcome.x_cache, self.sent.count, self.first)

    def line(self, scope: Mapping[str, Any], name: str) -> Line:
        """What the log says; `name`: the request's."""
        client = (scope.get("client") or ("-",))[0]
        spent, sent = time.monotonic() - self.began, self.sent
        word = self.word or (self.outcome.x_cache if self.outcome is not None else "")
        told = (sent.status, sent.count, spent, self.first, str(self.outcome), word)
        return Line(Asked.of(scope, name), client, *told, self.counted.mirror, self.key, sent.complete, self.handed)
