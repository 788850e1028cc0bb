"""How a stored document becomes what a client asked for. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The body that clients get for a stored document, in pieces that are gone through once, and its media type.

    The pieces may be made while they are taken: so a large document is never whole in memory. What is wrong with the
    document is raised before the first one, or by it. `until` is the instant (seconds since the epoch) from which on it
    may be another one though the document is the same: something matures, an exemption ends.
    """

    pieces: Iterable[bytes]
    content_type: str
    until: float = inf

    @property
    def body(self) -> bytes:
        """All pieces, taken now."""
        return b"".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """How a stored document becomes what this client asked for. Done when serving, never when storing.

    `variant` names everything that the output depends on besides the stored body (format, base URL).
    `apply` is pure: stored body and fields in, `Rewritten` out; raises OriginError if the body is no such document.
    `vary` is the Vary field of the answer. `slots`: the document names artifacts, and `apply` takes a `view` and what
    the mirror has `seen`, which the facts of these slots say, the first ones before the others. `listing`: it names
    packages, too, but no facts are kept of it: there is a `view` and nothing `seen`. `dated`: it takes `dates` as well,
    the same as `seen`, which are added where the document states none.
    """

    variant: str
    apply: Callable[..., Rewritten]
    vary: str = "Accept"
    slots: tuple[str, ...] = ()
    listing: bool = False
    dated: bool = False

    @property
    def judged(self) -> bool:
        """Whether what it makes depends on what the mirror's gate lets through."""
        return self.listing or bool(self.slots)
