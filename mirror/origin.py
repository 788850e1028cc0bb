"""The only part that speaks to origins: one shared HTTP client, redirects by hand, retries, failover, deadlines."""

from __future__ import annotations

import asyncio
import logging
import random as dice
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from .answer import Answer, shut
from .breaker import Breaker
from .errors import (
    MirrorError,
    OriginError,
    OriginRefused,
    OriginResting,
    OriginTimeout,
    OriginUnreachable,
    Unavailable,
)
from .failures import refusal
from .framing import end_to_end, host, reason_phrase, received, redirected
from .gate import Gate
from .model import Head, Headers
from .ports import Interim, Upload
from .question import Question
from .reach import Route
from .transport import OriginSettings, default_transport

__all__ = ["Answer", "Origin", "OriginSettings"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_MISSING = frozenset({404, 410})
_GIVEN_UP = frozenset({429, 500, 502, 503, 504})
_LONGEST_PAUSE = 8.0


@dataclass(slots=True)
class _Search:
    """The URLs that are still to be asked, and what the others gave: the answer to return, or else the failure.

    Where a URL is missing but a preferred one could not tell, nobody knows: it is no answer.
    """

    urls: tuple[str, ...]
    waiting: deque[str]
    silent: set[str] = field(default_factory=set)
    best: Answer | None = None
    failure: MirrorError = field(default_factory=lambda: Unavailable("no upstream is configured"))

    async def ends_with(self, outcome: Answer | OriginError, url: str) -> bool:
        match outcome:
            case Answer() if outcome.head.status in _MISSING and self._doubts(url):
                await outcome.aclose()
                text = (
                    f"{_name(url)} has no such file, but {_name(self.urls[0])}, which is preferred, could not be asked"
                )
                self.failure = OriginError(text)
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
            case OriginError():
                self.failure = outcome
                self.silent.add(url)
                self.waiting.extend([url] if isinstance(outcome, OriginRefused) else [])
        return False

    def _doubts(self, url: str) -> bool:
        """True where one that is preferred to this one did not tell."""
        return any(other in self.silent for other in self.urls[: self.urls.index(url)])


class Origin:
    """One HTTP client for all origins. `open()` before the first `fetch()`, `close()` after the last."""

    def __init__(
        self,
        settings: OriginSettings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = dice.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._wall = wall
        self._sleep = sleep
        self._random = random
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}
        self._client: httpx.AsyncClient | None = None
        self._gates: dict[str, Gate] = {}

    async def open(self) -> None:
        """Start the client; ConfigError where its settings cannot be used."""
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs whole, with the secrets in their queries
        self._client = httpx.AsyncClient(
            transport=self._transport or default_transport(self._settings),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections; answers that are still open break off."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def in_use(self) -> dict[str, int]:
        """How many connections the open answers hold, for each upstream (`scheme://host:port`) that has any."""
        return {upstream: gate.used for upstream, gate in self._gates.items() if gate.used}

    async def fetch(
        self,
        urls: Sequence[str],
        *,
        method: str = "GET",
        headers: Headers = Headers(),
        route: Route = Route(),  # noqa: B008
        upload: Upload | None = None,
        interim: Interim | None = None,
    ) -> Answer:
        """The first good answer of `urls`, which are asked in order; open, its body unread.

        Statuses 429, 500, 502, 503 and 504 are given up for the next URL; the first of them is returned where no URL
        does better. URLs that cannot be connected to are asked again, with growing pauses. The route's credentials are
        sent to the URLs' own scheme, host and port only. Methods other than GET and HEAD are tried once, and their
        redirects, and all where the route follows none, are answers like others. `upload` is the body to send.
        Raises OriginRefused, OriginTimeout, OriginError; Unavailable when too many wait for a connection.
        """
        return await self._search(urls, Question(method, headers, route, upload, interim))

    async def _search(self, urls: Sequence[str], question: Question) -> Answer:
        asked = tuple(urls if question.repeatable else urls[:1])
        search = _Search(asked, deque(asked))
        try:
            for further in range(-len(search.waiting), self._settings.retries if question.repeatable else 0):
                if not search.waiting:
                    break
                await self._pause(further, search.best)
                url = search.waiting.popleft()
                if further < 0 and (rest := self._rest(url)):
                    search.failure = rest
                    search.silent.add(url)
                elif await search.ends_with(await self._outcome(url, question), url):
                    break
        except BaseException:
            await _close(search.best)
            raise
        if search.best is None:
            raise search.failure
        return search.best

    async def _pause(self, further: int, best: Answer | None) -> None:
        """0.25 s before a further attempt, twice as long each time, or what a Retry-After says; 8 s at most."""
        if best is not None:
            # Two fetches that each hold the last place of a gate and wait at the other's would wait for ever.
            best.leave_gate()
        if further < 0:
            return
        asked = (best and best.head.headers.get("retry-after")) or ""
        seconds = float(asked) if asked.isascii() and asked.isdigit() else 0.0
        backoff = 0.25 * 2**further * (0.5 + self._random() / 2)
        await self._sleep(min(_LONGEST_PAUSE, max(backoff, seconds)))

    async def _outcome(self, url: str, question: Question) -> Answer | OriginError:
        try:
            target = httpx.URL(url)
            gate, breaker = self._gate(_upstream(target)), self._breaker(_upstream(target))
        except httpx.InvalidURL:
            return OriginError("the upstream's URL is not valid")
        await gate.enter()
        try:
            answer = await self._ask(target, url, question, gate)
        except OriginError as exc:
            gate.leave()
            if isinstance(exc, OriginUnreachable | OriginTimeout):
                breaker.failed()
            return exc
        except BaseException:
            gate.leave()
            raise
        breaker.answered()
        return answer

    def _rest(self, url: str) -> OriginResting | None:
        """Why that upstream is not asked now; None where it is."""
        try:
            upstream = _upstream(httpx.URL(url))
        except httpx.InvalidURL:
            return None
        breaker = self._breaker(upstream)
        if breaker.admits():
            return None
        return OriginResting(f"{upstream} could not be reached lately; it is asked again in {breaker.resting:.0f} s")

    def _breaker(self, upstream: str) -> Breaker:
        if upstream not in self._breakers:
            self._breakers = {name: known for name, known in self._breakers.items() if not known.idle}
            self._breakers[upstream] = Breaker(upstream, self._clock)
        return self._breakers[upstream]

    def _gate(self, upstream: str) -> Gate:
        if upstream not in self._gates:
            self._gates = {name: gate for name, gate in self._gates.items() if gate.used or gate.waiting}
            self._gates[upstream] = Gate(self._settings.max_connections, self._settings.max_waiting)
        return self._gates[upstream]

    async def _ask(self, target: httpx.URL, url: str, question: Question, gate: Gate) -> Answer:
        limit = self._settings.head_timeout
        try:
            async with asyncio.timeout(limit) as deadline:
                response, requested_at = await self._follow(target, question.counting(deadline, limit))
        except TimeoutError as exc:
            raise OriginTimeout(f"{host(target)} gave no answer within {limit:g} seconds") from exc
        status, phrase = response.status_code, reason_phrase(response)
        head = Head(status, end_to_end(received(response)), requested_at, self._wall(), phrase)
        try:
            return Answer(response, head, url, self._settings, gate)
        except OriginError:
            await shut(response)
            raise

    async def _follow(self, target: httpx.URL, question: Question) -> tuple[httpx.Response, float]:
        first = target
        for _ in range(_MAX_REDIRECTS + 1):
            requested_at = self._wall()
            try:
                response = await self._send(target, question)
            except OriginUnreachable as exc:
                if _upstream(target) == _upstream(first):
                    raise
                raise OriginRefused(str(exc)) from exc  # no fault of the upstream's
            if response.status_code not in _REDIRECTS or not (question.route.follow and question.repeatable):
                return response, requested_at
            await shut(response)
            source, target = target, redirected(response)
            same_origin = (source.scheme, host(source)) == (target.scheme, host(target))
            question = question.after(response.status_code, same_origin)
        raise OriginError(f"{host(source)} redirected more than {_MAX_REDIRECTS} times")

    async def _send(self, target: httpx.URL, question: Question) -> httpx.Response:
        if self._client is None:
            raise Unavailable("the client for origins is not open")
        try:
            request = question.request(target, self._settings.user_agent)
            return await self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
            raise refusal(exc, target) from exc


def _name(url: str) -> str:
    return host(httpx.URL(url))


def _upstream(url: httpx.URL) -> str:
    return f"{url.scheme}://{host(url)}"


async def _close(answer: Answer | None) -> None:
    if answer is not None:
        await answer.aclose()
