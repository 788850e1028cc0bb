"""One search for an answer among the URLs of a thing: what those that were asked gave, and what that means."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .answer import Answer
from .errors import MirrorError, OriginError, OriginForbidden, OriginRefused, OriginResting, Unavailable
from .framing import named

__all__ = ["Search"]

_MISSING = frozenset({404, 410})
_GIVEN_UP = frozenset({429, 500, 502, 503, 504})


@dataclass(slots=True)
class Search:
    """The URLs in order of preference, and what came of them: the answer to return, or else the failures.

    Where a URL is missing but a preferred one could not tell, nobody knows: it is no answer. `silent` could not tell so
    far, `waiting` may be asked once more.
    """

    urls: tuple[str, ...]
    silent: set[str] = field(default_factory=set)
    failures: dict[str, MirrorError] = field(default_factory=dict)
    waiting: deque[str] = field(default_factory=deque)
    best: Answer | None = None

    async def ends_with(self, outcome: Answer | MirrorError, url: str) -> bool:
        match outcome:
            case Answer() if outcome.head.status in _MISSING and (doubt := self._doubt(url)):
                await outcome.aclose()
                text = f"{_name(url)} has no such file, but {_name(doubt)}, which is preferred, could not be asked"
                self.failures[url] = OriginError(text)
            case Answer() if outcome.head.status not in _GIVEN_UP:
                unwanted, self.best = self.best, outcome
                await _close(unwanted)
                return True
            case Answer() if self.best is None:
                self.best = outcome
                self.silent.add(url)
            case Answer():
                await outcome.aclose()
                self.silent.add(url)
            case MirrorError():
                self.failures[url] = outcome
                self.silent.add(url)
                self.waiting.extend([url] if isinstance(outcome, OriginRefused) else [])
        return False

    def _doubt(self, url: str) -> str | None:
        """One that is preferred to this one and did not tell."""
        return next((other for other in self.urls[: self.urls.index(url)] if other in self.silent), None)

    def failure(self, soonest: float) -> MirrorError:
        """Why there is no answer: each upstream with its reason, in the kind of the most preferred one that was asked,
        and with `soonest` (seconds) as the time to come again."""
        failed = {url: self.failures[url] for url in self.urls if url in self.failures}
        if not failed:
            return Unavailable("no upstream is configured")
        told = [*failed.values()]
        failure = next((each for each in told if not isinstance(each, OriginResting | OriginForbidden)), told[0])
        if len(told) > 1:
            failure = type(failure)("; ".join(_reason(url, each) for url, each in failed.items()))
        failure.retry_after = soonest
        return failure

    async def give_up(self) -> None:
        """Nobody wants the answer any more."""
        await _close(self.best)


def _reason(url: str, failure: MirrorError) -> str:
    text, name = str(failure), _name(url)
    return text if name in text else f"{name}: {text}"


def _name(url: str) -> str:
    return named(url)[1] or "an upstream"


async def _close(answer: Answer | None) -> None:
    if answer is not None:
        await answer.aclose()
