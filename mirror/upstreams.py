"""The upstreams that are known: how many connections each has, how each does, and in which order they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from .breaker import Breaker, Health, asked_pause
from .errors import OriginResting
from .framing import named
from .gate import Gate
from .model import Head
from .transport import OriginSettings

__all__ = ["Order", "Turn", "Upstream", "Upstreams"]

_MOST_KNOWN = 1000  # of which nothing need be remembered; mirrors of any host see many
_ASKING = frozenset({429, 503})  # RFC 6585 §4, RFC 9110 §15.6.4
_FAILING = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Upstream:
    """One server (`scheme://host:port`)."""

    name: str
    gate: Gate
    breaker: Breaker

    @property
    def idle(self) -> bool:
        return self.breaker.idle and not (self.gate.used or self.gate.waiting)

    def told(self, number: int, head: Head) -> None:
        """What its answer says of itself."""
        asked = asked_pause(head.headers.get("retry-after"), head.received_at) if head.status in _ASKING else 0.0
        error = f"{self.name} answered {head.status}"
        if asked:
            self.breaker.asked(asked, error)
        elif head.status in _FAILING:
            self.breaker.failed(number, error, reached=True)
        else:
            self.breaker.answered(number)

    def resting(self) -> OriginResting:
        """Why it is not asked now."""
        return OriginResting(f"{self.breaker.error}; it is asked again in {self.breaker.resting:.0f} s")


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt at a URL; `number` is that of the probe which it is, else 0."""

    url: str
    upstream: Upstream
    number: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What becomes of URLs: asked, one after the other; probed, while nobody waits; or left alone, and why.

    `doubtful` are all that do not count as there: where one of these is preferred, nobody knows what is missing.
    """

    turns: list[Turn] = field(default_factory=list)
    probes: list[Turn] = field(default_factory=list)
    resting: dict[str, OriginResting] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)


class Upstreams:
    """All of one client for origins."""

    def __init__(self, settings: OriginSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._known: dict[str, Upstream] = {}
        self._names: dict[str, str] = {}  # of scheme and authority as they are written

    def of(self, url: str) -> Upstream:
        """The upstream of that URL."""
        start = url.find("/", url.find("//") + 2)
        written = url if start < 0 else url[:start]  # scheme and authority
        name = self._names.get(written)
        if name is None:
            name, _ = named(url)
            if len(self._names) >= _MOST_KNOWN:
                self._names.clear()
            if name:
                self._names[written] = name
        if not name:  # that it is not valid is found out when it is asked
            return self._new("")
        if name not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known = {name: known for name, known in self._known.items() if not known.idle}
            self._known[name] = self._new(name)
        return self._known[name]

    def become(self, settings: OriginSettings) -> None:
        """From now on so many connections each; those that there are, and who waits for one, do not count."""
        before, self._settings = self._settings, settings
        if (before.max_connections, before.max_waiting) != (settings.max_connections, settings.max_waiting):
            self._known = {name: replace(known, gate=self._gate()) for name, known in self._known.items()}

    def _gate(self) -> Gate:
        return Gate(self._settings.max_connections, self._settings.max_waiting)

    def _new(self, name: str) -> Upstream:
        return Upstream(name, self._gate(), Breaker(name, self._clock))

    def order(self, urls: Sequence[str], *, instead: bool) -> Order:
        """In the order of preference those that are there; then those that are busy, unless there is something to serve
        `instead`. One whose rest is over is probed by this request only where no other can answer it: whoever waits
        for a dead upstream waits for a deadline.
        """
        known = [(url, self.of(url)) for url in urls]
        order = Order([Turn(url, upstream) for url, upstream in known if not upstream.breaker.open])
        otherwise = bool(order.turns) or instead
        for url, upstream in known:
            breaker = upstream.breaker
            if not breaker.open:
                continue
            turn = Turn(url, upstream, breaker.probe())
            order.doubtful.add(url)
            if turn.number and otherwise:
                order.probes.append(turn)
            if turn.number and not otherwise:
                order.turns.append(turn)
            elif breaker.gone or instead:
                order.resting[url] = upstream.resting()
            else:
                order.turns.append(Turn(url, upstream))
        return order

    def again(self, url: str) -> Turn | None:
        """A further attempt; None where that upstream is to be left alone: all who ask would make theirs."""
        upstream = self.of(url)
        turn = Turn(url, upstream, upstream.breaker.probe())
        return turn if turn.number or not upstream.breaker.open else None

    def soonest(self, urls: Sequence[str]) -> float:
        """In how many seconds the first of them is asked again; 0 where one is asked now: a busy one is."""
        known = [self.of(url).breaker for url in urls]
        return min((breaker.resting if breaker.gone else 0.0 for breaker in known), default=0.0)

    @property
    def in_use(self) -> dict[str, int]:
        return {name: known.gate.used for name, known in self._known.items() if known.gate.used}

    def health(self, wall: float) -> dict[str, Health]:
        return {name: known.breaker.health(wall) for name, known in self._known.items()}
