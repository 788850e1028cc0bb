"""Where two caches differ over one request, and what about it a reason can be made of. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import vocabulary as words
from .exchanges import Exchange, Step
from .witness import CONDITIONALLY, NEVER, PLAINLY, Seen

OWN_ANSWERS = (416, 504)  # what each cache says in its own words
VALID_TAG = ('"v0"', '"v1"', '"v2"', 'W/"v0"', '""')
OLD = ("7200", "99999999999", "7200, 10")  # an Age above every lifetime of the vocabulary


@dataclass(frozen=True, slots=True)
class Difference:
    """One request on which a peer and the mirror differ; `aspect` is the first field of `Seen` in which they do.

    What follows from it (the body, where only one asked the origin) is no difference of its own.
    """

    exchange: Exchange
    number: int
    peer: str
    aspect: str
    all_ours: tuple[Seen, ...]
    all_theirs: tuple[Seen, ...]

    @property
    def ours(self) -> Seen:
        return self.all_ours[self.number]

    @property
    def theirs(self) -> Seen:
        return self.all_theirs[self.number]

    @property
    def step(self) -> Step:
        return self.exchange.steps[self.number]

    @property
    def first(self) -> Step:
        """The step whose answer there is to store: the first GET or HEAD."""
        return next(step for step in self.exchange.steps if step.method in ("GET", "HEAD"))

    @property
    def kind(self) -> str:
        """What the Cache-Control of that answer says, as it was drawn."""
        return words.kind(self.first.says("cache-control") or "")

    def asked(self, ours: str, theirs: str) -> bool:
        """Whether they differ in how they asked the origin: in letters, `-` not, `g` plainly, `c` conditionally."""
        letters = {NEVER: "-", PLAINLY: "g", CONDITIONALLY: "c"}
        return self.aspect == "asked" and letters[self.ours.asked] in ours and letters[self.theirs.asked] in theirs

    def statuses(self, ours: int, theirs: int) -> bool:
        return self.aspect == "status" and (self.ours.status, self.theirs.status) == (ours, theirs)

    def sends(self, *names: str) -> bool:
        return any(self.step.sends(name) is not None for name in names)

    @property
    def conditional(self) -> bool:
        return self.sends("if-none-match", "if-modified-since")

    @property
    def tags_are_none(self) -> bool:
        """Whether the answer has a tag that is no entity-tag (RFC 9110 §8.8.3)."""
        tag = self.first.says("etag")
        return tag is not None and tag not in VALID_TAG

    def told(self) -> str:
        lines = [self.exchange.told(), f"  request {self.number + 1} of {len(self.exchange.steps)}: {self.aspect}"]
        for name, seen in (("mirror", self.all_ours), (self.peer, self.all_theirs)):
            lines += [f"    {name} {number + 1}: {one}" for number, one in enumerate(seen[: self.number + 1])]
        return "\n".join(lines)


def differences(exchange: Exchange, peer: str, ours: Sequence[Seen], theirs: Sequence[Seen]) -> Iterator[Difference]:
    """At most one for each request."""
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        own = one.status == other.status and one.status in OWN_ANSWERS
        for aspect in ("asked", "status") if own else ("asked", "status", "body", "etag", "age"):
            if getattr(one, aspect) != getattr(other, aspect):
                yield Difference(exchange, number, peer, aspect, tuple(ours), tuple(theirs))
                break
