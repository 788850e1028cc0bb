"""The only part that speaks to origins: one shared HTTP client, redirects by hand, retries, failover, deadlines."""

from __future__ import annotations

import asyncio
import logging
import random as dice
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import httpx

from .answer import Answer, shut
from .breaker import Health, asked_pause
from .counters import Counters
from .errors import MirrorError, OriginError, OriginRefused, OriginTimeout, OriginUnreachable, Unavailable, forget
from .failures import fault, refusal
from .framing import end_to_end, host, reason_phrase, received, redirected, server
from .model import Head, Headers
from .ports import Interim, Upload
from .question import Question
from .reach import Route
from .search import Search
from .succession import Shared
from .transport import OriginSettings
from .upstreams import Turn, Upstreams

__all__ = ["Answer", "Health", "Origin", "OriginSettings"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_LONGEST_PAUSE = 8.0


@dataclass(slots=True)
class _Trail:
    """Where a question was asked first, and where redirects led it."""

    first: httpx.URL
    at: httpx.URL

    @property
    def home(self) -> bool:
        """True where what happens is the upstream's own doing."""
        return server(self.first) == server(self.at)


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
        counters: Counters | None = None,
    ) -> None:
        """`counters` are told what came for which mirror, and what went wrong."""
        self._settings = settings
        self._shared = Shared(transport)
        self._wall = wall
        self._sleep = sleep
        self._random = random
        self._upstreams = Upstreams(settings, clock)
        self._clock = clock
        self._counters = counters or Counters(())
        self._probes: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Start the client; ConfigError where its settings cannot be used."""
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs whole, with the secrets in their queries
        self._shared.prepare(self._settings)()

    def prepare(self, settings: OriginSettings) -> Callable[[], None]:
        """Make ready what other settings need; the call of what is returned has all new requests go by them, while the
        open answers go on as they are. Blocks; ConfigError where they cannot be used."""
        succeed = self._shared.prepare(settings)

        def commit() -> None:
            self._settings = settings
            self._upstreams.become(settings)
            succeed()

        return commit

    async def close(self) -> None:
        """Close all connections; answers that are still open break off."""
        for probe in self._probes:
            probe.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        await self._shared.close()

    @property
    def in_use(self) -> dict[str, int]:
        """How many connections the open answers hold, for each upstream (`scheme://host:port`) that has any."""
        return self._upstreams.in_use

    def health(self) -> dict[str, Health]:
        """How each upstream does (`scheme://host:port`) that was asked lately."""
        return self._upstreams.health(self._wall())

    async def fetch(
        self,
        urls: Sequence[str],
        *,
        method: str = "GET",
        headers: Headers = Headers(),
        route: Route = Route(),  # noqa: B008
        upload: Upload | None = None,
        interim: Interim | None = None,
        instead: bool = False,
    ) -> Answer:
        """The first good answer of `urls`, which are asked in order; open, its body unread.

        Statuses 429, 500, 502, 503 and 504 are given up for the next URL; the first of them is returned where no URL
        does better. URLs that cannot be connected to are asked again, with growing pauses. The route's credentials are
        sent to the URLs' own scheme, host and port only. Methods other than GET and HEAD are tried once, and their
        redirects, and all where the route follows none, are answers like others. `upload` is the body to send.

        An upstream that could not be reached five times in a row is not asked, but probed now and then. One that asked
        to be left alone (429 or 503 with Retry-After, two minutes at most) or failed five times in a row (502, 503,
        504, a reset before the head) is asked last; and not at all where the caller has something to serve `instead`.

        Raises OriginRefused, OriginTimeout, OriginResting, OriginError; Unavailable when too many wait for a
        connection.
        """
        question = Question(method, headers, route, upload, interim)
        asked = tuple(urls if question.repeatable else urls[:1])
        order = self._upstreams.order(asked, instead=instead)
        for probe in order.probes:
            self._knock(probe, question)
        search = Search(asked, order.doubtful, {**order.resting})
        try:
            if not await self._asked_once(search, question, order.turns) and question.repeatable:
                await self._asked_again(search, question)
        except BaseException:
            await search.give_up()
            raise
        if search.best is None:
            raise search.failure(self._upstreams.soonest(asked))
        return search.best

    async def _asked_once(self, search: Search, question: Question, turns: Sequence[Turn]) -> bool:
        for turn in turns:
            self._let_others_in(search)
            if await search.ends_with(await self._outcome(turn, question), turn.url):
                return True
        return False

    async def _asked_again(self, search: Search, question: Question) -> None:
        for further in range(self._settings.retries):
            if not search.waiting:
                break
            self._let_others_in(search)
            await self._pause(further, search.best)
            url = search.waiting.popleft()
            turn = self._upstreams.again(url)
            if turn is None:
                search.waiting.append(url)
            elif await search.ends_with(await self._outcome(turn, question), url):
                break

    def _let_others_in(self, search: Search) -> None:
        """Two fetches that each hold the last place of a gate and wait at the other's would wait for ever."""
        if search.best is not None:
            search.best.leave_gate()

    def _knock(self, turn: Turn, question: Question) -> None:
        """See whether an upstream answers again, while those who ask are answered by others."""

        async def knocking() -> None:
            outcome = await self._outcome(turn, replace(question, interim=None))
            if isinstance(outcome, Answer):
                await outcome.aclose()

        task = asyncio.get_running_loop().create_task(knocking())
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    async def _pause(self, further: int, best: Answer | None) -> None:
        """0.25 s before a further attempt, twice as long each time, or what a Retry-After says; 8 s at most."""
        seconds = asked_pause(best.head.headers.get("retry-after"), best.head.received_at) if best else 0.0
        backoff = 0.25 * 2**further * (0.5 + self._random() / 2)
        await self._sleep(min(_LONGEST_PAUSE, max(backoff, seconds)))

    async def _outcome(self, turn: Turn, question: Question) -> Answer | MirrorError:
        try:
            target = httpx.URL(turn.url)
        except httpx.InvalidURL:
            return OriginError("the upstream's URL is not valid")
        gate, breaker, trail = turn.upstream.gate, turn.upstream.breaker, _Trail(target, target)
        client = question.route.client
        try:
            await gate.enter(client)
        except Unavailable as exc:
            forget(exc)
            return exc
        try:
            if not breaker.admits(turn.number):  # it was found dead by those who went before
                raise turn.upstream.resting()  # noqa: TRY301
            answer = await self._ask(trail, turn, question)
        except MirrorError as exc:
            gate.leave(client)
            _blame(turn, trail, exc)
            self._count(question, exc)
            forget(exc)
            return exc
        except BaseException:
            gate.leave(client)
            raise
        if trail.home:
            turn.upstream.told(turn.number, answer.head)
        else:
            breaker.answered(turn.number)
        return answer

    async def _ask(self, trail: _Trail, turn: Turn, question: Question) -> Answer:
        limit, began = self._settings.head_timeout, self._clock()
        counted = self._counters.of(question.route.mirror)
        leave = partial(turn.upstream.gate.leave, question.route.client)
        try:
            async with asyncio.timeout(limit) as deadline:
                response, requested_at = await self._follow(trail, question.counting(deadline, limit))
        except TimeoutError as exc:
            raise OriginTimeout(f"{host(trail.first)} gave no answer within {limit:g} seconds") from exc
        status, phrase = response.status_code, reason_phrase(response)
        head = Head(status, end_to_end(received(response)), requested_at, self._wall(), phrase)
        try:
            answer = Answer(response, head, turn.url, self._settings, leave, counted)
        except OriginError:
            await shut(response)
            raise
        counted.told(self._clock() - began)
        if status >= 500:
            counted.failed("status_5xx")
        return answer

    def _count(self, question: Question, failure: MirrorError) -> None:
        if (kind := fault(failure)) is not None:
            self._counters.of(question.route.mirror).failed(kind)

    async def _follow(self, trail: _Trail, question: Question) -> tuple[httpx.Response, float]:
        for _ in range(_MAX_REDIRECTS + 1):
            requested_at = self._wall()
            response = await self._send(trail.at, question)
            if response.status_code not in _REDIRECTS or not (question.route.follow and question.repeatable):
                return response, requested_at
            source = trail.at
            try:
                trail.at = redirected(response)
            finally:
                await shut(response)
            same_origin = (source.scheme, host(source)) == (trail.at.scheme, host(trail.at))
            question = question.after(response.status_code, same_origin)
        raise OriginError(f"{host(source)} redirected more than {_MAX_REDIRECTS} times")

    async def _send(self, target: httpx.URL, question: Question) -> httpx.Response:
        try:
            return await self._shared.send(lambda: question.request(target, self._settings.user_agent))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
            raise refusal(exc, target) from exc


def _blame(turn: Turn, trail: _Trail, failure: MirrorError) -> None:
    """A head that did not come is the upstream's fault, unless it redirected elsewhere: then it has answered."""
    if not trail.home:
        turn.upstream.breaker.answered(turn.number)
    elif isinstance(failure, OriginRefused | OriginTimeout):
        there = isinstance(failure, OriginRefused) and not isinstance(failure, OriginUnreachable)
        turn.upstream.breaker.failed(turn.number, str(failure), reached=there)
