"""The only part that speaks to origins: one shared HTTP client, redirects by hand, retries, failover, deadlines."""

from __future__ import annotations

import asyncio
import logging
import random as dice
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Self

import httpx

from .errors import MirrorError, OriginError, OriginRefused, OriginTimeout, Truncated, Unavailable
from .model import Head, Headers
from .transport import OriginSettings, default_transport, end_to_end, framing, host, reason, redirected, refusal

__all__ = ["Answer", "Origin", "OriginSettings"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_CROSS_REDIRECTS = (
    "accept",
    "accept-encoding",
    "range",
    "if-range",
    "if-none-match",
    "if-modified-since",
    "user-agent",
)
_GIVEN_UP = frozenset({429, 500, 502, 503, 504})
_LONGEST_PAUSE = 8.0


class _Gate:
    """The connections of one upstream: so many at once, the others wait in the order in which they came."""

    def __init__(self, settings: OriginSettings) -> None:
        self._places = asyncio.Semaphore(settings.max_connections)
        self._max_waiting = settings.max_waiting
        self.used = 0
        self.waiting = 0

    async def enter(self) -> None:
        if self._places.locked() and self.waiting >= self._max_waiting:
            raise Unavailable("too many requests wait for a connection to the upstream")
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1
        self.used += 1

    def leave(self) -> None:
        self.used -= 1
        self._places.release()


class Answer:
    """An open response of an origin. Whoever has it closes it: till then it holds one of the upstream's connections.

    `head` is without the hop-by-hop fields. `url` is the entry of `urls` that answered. `length` is the body's length
    in bytes where it was announced (0 where there can be no body), else None. `delimited` is False where only the end
    of the connection ends the body, which can then not be known to be complete (RFC 9112 §8).
    """

    def __init__(self, response: httpx.Response, head: Head, url: str, settings: OriginSettings, gate: _Gate) -> None:
        self.head = head
        self.url = url
        self.length, self.delimited = framing(response)
        self._response = response
        self._settings = settings
        self._gate: _Gate | None = gate

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it was sent, never decoded; once. Raises Truncated, OriginTimeout or another OriginError.

        Only waiting for the origin counts towards the minimum rate, not the time that the reader takes between chunks
        (but a reader that pauses for longer than `read_timeout` may find the connection gone).
        """
        window, need = self._settings.min_rate_window, self._settings.min_rate * self._settings.min_rate_window
        assert isinstance(self._response.stream, httpx.AsyncByteStream)  # noqa: S101 - an AsyncClient has no other
        source = aiter(self._response.stream)
        waited, got, total = 0.0, 0, 0
        while True:
            started = time.monotonic()
            # Nothing arrives while a pull waits, so it is known now which window a silent origin fails in.
            chunk = await self._pull(source, window - waited + (window if got >= need else 0.0))
            if chunk is None:
                break
            waited += time.monotonic() - started
            if waited >= window:
                waited, got = waited % window, 0
            got += len(chunk)
            total += len(chunk)
            yield chunk
        if self.length is not None and total != self.length:
            raise Truncated(f"{host(self._response.url)} sent {total} bytes and had announced {self.length}")

    async def _pull(self, source: AsyncIterator[bytes], patience: float) -> bytes | None:
        origin = host(self._response.url)
        try:
            async with asyncio.timeout(patience):
                return await anext(source, None)
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise OriginTimeout(f"{origin} sent less than {self._settings.min_rate:g} bytes per second") from exc
        except (httpx.RequestError, OSError) as exc:
            raise Truncated(f"{origin} broke off in mid-body ({reason(exc)})") from exc

    def leave_gate(self) -> None:
        """Give the place among the upstream's connections back although the response stays open."""
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.leave()

    async def aclose(self) -> None:
        """Close the response and give its place back; may be called again."""
        try:
            await _shut(self._response)
        finally:
            self.leave_gate()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    headers: Headers
    auth: tuple[str, str] | None

    def after(self, status: int, same_origin: bool) -> _Question:
        """What is asked at the target of a redirect (RFC 9110 §15.4): the credentials stay with their origin."""
        method = self.method if self.method == "HEAD" or status in (307, 308) else "GET"
        return _Question(method, self.headers.only(_CROSS_REDIRECTS), self.auth if same_origin else None)


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
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._wall = wall
        self._sleep = sleep
        self._random = random
        self._client: httpx.AsyncClient | None = None
        self._timeout = httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout, pool=None)
        self._gates: dict[str, _Gate] = {}

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
        headers: Headers = Headers(),  # noqa: B008 - it is frozen
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """The first good answer of `urls`, which are asked in order; open, its body unread.

        Statuses 429, 500, 502, 503 and 504 are given up for the next URL; the first of them is returned where no URL
        does better. URLs that cannot be connected to are asked again, with growing pauses. `auth` (name and value of a
        field) is sent to the URLs' own scheme, host and port only. Methods other than GET and HEAD are tried once.
        Raises OriginRefused, OriginTimeout, OriginError; Unavailable when too many wait for a connection.
        """
        question = _Question(method, headers, auth)
        repeatable = method in ("GET", "HEAD")
        waiting = deque(urls if repeatable else urls[:1])
        best: Answer | None = None
        failure: MirrorError = Unavailable("no upstream is configured")
        try:
            for further in range(-len(waiting), self._settings.retries if repeatable else 0):
                if not waiting:
                    break
                await self._pause(further, best)
                url = waiting.popleft()
                match outcome := await self._outcome(url, question):
                    case Answer() if outcome.head.status not in _GIVEN_UP:
                        unwanted, best = best, outcome
                        await _close(unwanted)
                        break
                    case Answer() if best is None:
                        best = outcome
                    case Answer():
                        await outcome.aclose()
                    case OriginError():
                        failure = outcome
                        waiting.extend([url] if isinstance(outcome, OriginRefused) else [])
        except BaseException:
            await _close(best)
            raise
        if best is None:
            raise failure
        return best

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

    async def _outcome(self, url: str, question: _Question) -> Answer | OriginError:
        try:
            target = httpx.URL(url)
            gate = self._gate(f"{target.scheme}://{host(target)}")
        except httpx.InvalidURL:
            return OriginError("the upstream's URL is not valid")
        await gate.enter()
        try:
            return await self._ask(target, url, question, gate)
        except OriginError as exc:
            gate.leave()
            return exc
        except BaseException:
            gate.leave()
            raise

    def _gate(self, upstream: str) -> _Gate:
        if upstream not in self._gates:
            self._gates = {name: gate for name, gate in self._gates.items() if gate.used or gate.waiting}
            self._gates[upstream] = _Gate(self._settings)
        return self._gates[upstream]

    async def _ask(self, target: httpx.URL, url: str, question: _Question, gate: _Gate) -> Answer:
        limit = self._settings.head_timeout
        try:
            async with asyncio.timeout(limit):
                response, requested_at = await self._follow(target, question)
        except TimeoutError as exc:
            raise OriginTimeout(f"{host(target)} gave no answer within {limit:g} seconds") from exc
        head = Head(response.status_code, end_to_end(response.headers), requested_at, self._wall())
        try:
            return Answer(response, head, url, self._settings, gate)
        except OriginError:
            await _shut(response)
            raise

    async def _follow(self, target: httpx.URL, question: _Question) -> tuple[httpx.Response, float]:
        for _ in range(_MAX_REDIRECTS + 1):
            requested_at = self._wall()
            response = await self._send(target, question)
            if response.status_code not in _REDIRECTS:
                return response, requested_at
            await _shut(response)
            source, target = target, redirected(response)
            same_origin = (source.scheme, host(source)) == (target.scheme, host(target))
            question = question.after(response.status_code, same_origin)
        raise OriginError(f"{host(source)} redirected more than {_MAX_REDIRECTS} times")

    async def _send(self, target: httpx.URL, question: _Question) -> httpx.Response:
        if self._client is None:
            raise Unavailable("the client for origins is not open")
        fields = [*question.headers, *([question.auth] if question.auth else [])]
        fields += [("user-agent", self._settings.user_agent)] if "user-agent" not in question.headers else []
        fields += [("accept-encoding", "identity")] if "accept-encoding" not in question.headers else []
        extensions = {"timeout": self._timeout.as_dict()}
        try:
            request = httpx.Request(question.method, target, headers=fields, extensions=extensions)
            return await self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
            raise refusal(exc, target) from exc


async def _close(answer: Answer | None) -> None:
    if answer is not None:
        await answer.aclose()


async def _shut(response: httpx.Response) -> None:
    with suppress(httpx.HTTPError, OSError):
        await response.aclose()
