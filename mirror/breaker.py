"""Whether an upstream is worth an attempt now: one that is dead, or overloaded, must not cost every request."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .httpcache.fields import delta_seconds, parse_date

log = logging.getLogger("mirror.origin")

__all__ = ["Breaker", "Health", "asked_pause"]

FAILURES = 5  # attempts in a row, of whatever requests
FIRST_REST, LONGEST_REST = 2.0, 60.0  # seconds
LONGEST_ASKED = 120.0  # seconds that an upstream may ask to be left alone for: its clock, or its word, may be wrong

State = Literal["up", "busy", "down"]
_TOLD = {
    "up": "answers again",
    "busy": "is in trouble: others, and what is stored, are preferred to it",
    "down": "cannot be reached: it is asked less often from now on",
}


@dataclass(frozen=True, slots=True)
class Health:
    """How an upstream does. `busy`: it is there, and answers with 502, 503, 504 or a reset, or asks to be left alone.

    `since` and `error_at` are POSIX seconds, the latter None as long as nothing went wrong; `error` names host and
    reason of what did last; `resting` is in how many seconds it is asked next, 0 where it is asked now.
    """

    state: State
    since: float
    error: str
    error_at: float | None
    resting: float


class Breaker:
    """Rests after five failures in a row, or for as long as a Retry-After says: then one probe is admitted for each
    rest, which grows to a minute.

    Down is an upstream with which no connection was made, or whose head did not come in time. 502, 503, 504 and a
    reset before the head make it busy: they may be of one page alone, so that it is asked still where there is no other
    (500 is of one page). Any other answer ends the count. Each probe has a number, by which its result is told from
    that of attempts that began before the rest: a hundred of those failing together are one failure. `clock` is
    monotonic, in seconds.
    """

    def __init__(self, upstream: str, clock: Callable[[], float]) -> None:
        self._upstream = upstream
        self._clock = clock
        self._state: State = "up"
        self._since = clock()
        self._error: tuple[str, float] | None = None
        self._failures = 0
        self._rest = 0.0
        self._until = 0.0
        self._probe = 0

    @property
    def open(self) -> bool:
        """True where it rests, or waits for the result of a probe."""
        return self._state != "up"

    @property
    def gone(self) -> bool:
        """True where it cannot be reached at all."""
        return self._state == "down"

    @property
    def resting(self) -> float:
        """Seconds until the next probe is admitted, 0 where one is admitted now."""
        return max(0.0, self._until - self._clock()) if self.open else 0.0

    @property
    def idle(self) -> bool:
        """True where there is nothing to remember."""
        return self._state == "up" and not self._failures

    @property
    def error(self) -> str:
        """What went wrong last, "" for nothing."""
        return self._error[0] if self._error else ""

    def probe(self) -> int:
        """The number of one probe, 0 where none is admitted; the next one is put off for another rest."""
        if not self.open or self.resting:
            return 0
        self._until = self._clock() + self._rest
        self._probe += 1
        return self._probe

    def admits(self, number: int) -> bool:
        """Whether an attempt may still be made (it may have waited): a probe, or any where the upstream is there."""
        return not self.gone or self._is_probe(number)

    def failed(self, number: int, error: str, *, reached: bool = False) -> None:
        """The attempt (0, or the probe's number) ended without a good answer; `reached`: the upstream is there."""
        self._error = (error, self._clock())
        probing = self.open and self._is_probe(number)
        if self.resting and not probing and (reached or self.gone):
            return  # it began before the rest, or was made for want of others
        self._failures += 1
        if probing or self._failures >= FAILURES:
            rest = min(LONGEST_REST, self._rest * 2) if probing else FIRST_REST
            self._pause(rest, "busy" if reached else "down")

    def asked(self, seconds: float, error: str) -> None:
        """It asked to be left alone."""
        self._error = (error, self._clock())
        seconds = min(LONGEST_ASKED, seconds)
        if not self.open or self.gone or seconds > self.resting:
            self._pause(seconds, "busy")

    def answered(self, number: int) -> None:
        """It gave an answer: of who asked to be left alone, only a probe's counts."""
        if self.gone or self._is_probe(number):
            self._turn("up")
            self._rest = 0.0
        self._failures = 0

    def health(self, wall: float) -> Health:
        """See Health; `wall` is now, in POSIX seconds."""
        passed = wall - self._clock()
        error, at = self._error or ("", None)
        return Health(self._state, self._since + passed, error, None if at is None else at + passed, self.resting)

    def _is_probe(self, number: int) -> bool:
        return number > 0 and number == self._probe

    def _pause(self, seconds: float, state: State) -> None:
        self._turn(state)
        self._failures = 0
        self._rest = seconds
        self._until = self._clock() + seconds

    def _turn(self, state: State) -> None:
        """One line in the log for each change."""
        if state != self._state:
            self._state, self._since = state, self._clock()
            log.warning("%s %s%s", self._upstream, _TOLD[state], f" ({self.error})" if self.open else "")


def asked_pause(text: str | None, now: float) -> float:
    """The seconds of a Retry-After (RFC 9110 §10.2.3: seconds, or a date), 0 where it says nothing that can be used."""
    if text is None:
        return 0.0
    seconds = delta_seconds(text.strip())
    if seconds is not None:
        return float(seconds)
    date = parse_date(text, now)
    return max(0.0, date - now) if date is not None else 0.0
