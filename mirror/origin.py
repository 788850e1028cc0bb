"""The only part that speaks to origins: one shared HTTP client, redirects by hand, retries, failover, deadlines."""

from __future__ import annotations

import asyncio
import logging
import random as dice
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from .answer import Answer, shut
from .errors import MirrorError, OriginError, OriginForbidden, OriginRefused, OriginTimeout, Unavailable
from .failures import refusal
from .framing import end_to_end, host, reason_phrase, received, redirected
from .gate import Gate
from .model import Head, Headers
from .ports import Interim, Upload
from .reach import Reach, Route, literal, public
from .transport import OriginSettings, default_transport

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


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    headers: Headers
    route: Route
    upload: Upload | None = None
    interim: Interim | None = None

    @property
    def repeatable(self) -> bool:
        """True where the origin may see it twice (RFC 9110 §9.2.2)."""
        return self.method in ("GET", "HEAD")

    def after(self, status: int, same_origin: bool) -> _Question:
        """What is asked at the target of a redirect (RFC 9110 §15.4): the credentials stay with their origin."""
        method = self.method if self.method == "HEAD" or status in (307, 308) else "GET"
        route = self.route if same_origin else replace(self.route, auth=None)
        return replace(self, method=method, headers=self.headers.only(_CROSS_REDIRECTS), route=route)

    def fields(self, user_agent: str) -> list[tuple[str, str]]:
        """What is sent. The mirror's own credentials take the place of a client's."""
        auth = self.route.auth
        given = [*filter(_sendable, self.headers.without(auth[0].lower()) if auth else self.headers)]
        given += [auth] if auth else []
        given += [("user-agent", user_agent)] if "user-agent" not in self.headers else []
        given += [("accept-encoding", "identity")] if "accept-encoding" not in self.headers else []
        if self.upload is not None and self.upload.length is not None:
            given.append(("content-length", str(self.upload.length)))
        return given


@dataclass(slots=True)
class _Search:
    """The URLs that are still to be asked, and what the others gave: the answer to return, or else the failure."""

    waiting: deque[str]
    best: Answer | None = None
    failure: MirrorError = field(default_factory=lambda: Unavailable("no upstream is configured"))

    async def ends_with(self, outcome: Answer | OriginError, url: str) -> bool:
        match outcome:
            case Answer() if outcome.head.status not in _GIVEN_UP:
                unwanted, self.best = self.best, outcome
                await _close(unwanted)
                return True
            case Answer() if self.best is None:
                self.best = outcome
            case Answer():
                await outcome.aclose()
            case OriginError():
                self.failure = outcome
                self.waiting.extend([url] if isinstance(outcome, OriginRefused) else [])
        return False


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
        headers: Headers = Headers(),  # noqa: B008 - it is frozen
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
        return await self._search(urls, _Question(method, headers, route, upload, interim))

    async def _search(self, urls: Sequence[str], question: _Question) -> Answer:
        search = _Search(deque(urls if question.repeatable else urls[:1]))
        try:
            for further in range(-len(search.waiting), self._settings.retries if question.repeatable else 0):
                if not search.waiting:
                    break
                await self._pause(further, search.best)
                url = search.waiting.popleft()
                if await search.ends_with(await self._outcome(url, question), url):
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

    def _gate(self, upstream: str) -> Gate:
        if upstream not in self._gates:
            self._gates = {name: gate for name, gate in self._gates.items() if gate.used or gate.waiting}
            self._gates[upstream] = Gate(self._settings.max_connections, self._settings.max_waiting)
        return self._gates[upstream]

    async def _ask(self, target: httpx.URL, url: str, question: _Question, gate: Gate) -> Answer:
        limit = self._settings.head_timeout
        try:
            async with asyncio.timeout(limit) as deadline:
                response, requested_at = await self._follow(target, _counting(question, deadline, limit))
        except TimeoutError as exc:
            raise OriginTimeout(f"{host(target)} gave no answer within {limit:g} seconds") from exc
        status, phrase = response.status_code, reason_phrase(response)
        head = Head(status, end_to_end(received(response)), requested_at, self._wall(), phrase)
        try:
            return Answer(response, head, url, self._settings, gate)
        except OriginError:
            await shut(response)
            raise

    async def _follow(self, target: httpx.URL, question: _Question) -> tuple[httpx.Response, float]:
        for _ in range(_MAX_REDIRECTS + 1):
            requested_at = self._wall()
            response = await self._send(target, question)
            if response.status_code not in _REDIRECTS or not (question.route.follow and question.repeatable):
                return response, requested_at
            await shut(response)
            source, target = target, redirected(response)
            same_origin = (source.scheme, host(source)) == (target.scheme, host(target))
            question = question.after(response.status_code, same_origin)
        raise OriginError(f"{host(source)} redirected more than {_MAX_REDIRECTS} times")

    async def _send(self, target: httpx.URL, question: _Question) -> httpx.Response:
        if self._client is None:
            raise Unavailable("the client for origins is not open")
        content = question.upload.chunks if question.upload is not None else None
        extensions: dict[str, Any] = {"guarded": _guarded(target, question.route.reach)}
        if question.interim is not None:
            extensions["interim"] = partial(_interim, question.interim)
        try:
            fields = question.fields(self._settings.user_agent)
            raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
            request = httpx.Request(question.method, target, headers=raw, content=content, extensions=extensions)
            return await self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
            raise refusal(exc, target) from exc


def _counting(question: _Question, deadline: asyncio.Timeout, limit: float) -> _Question:
    """The question, each chunk of whose body puts the deadline for the head off: a long upload is no silent origin."""
    upload = question.upload
    if upload is None:
        return question

    async def chunks() -> AsyncIterator[bytes]:
        async for chunk in upload.chunks:
            yield chunk
            with suppress(RuntimeError):  # the head is there already
                deadline.reschedule(asyncio.get_running_loop().time() + limit)

    return replace(question, upload=Upload(upload.length, chunks()))


def _guarded(target: httpx.URL, reach: Reach) -> bool:
    """Whether the transport has to look at the host's addresses; OriginForbidden where it may not be asked at all."""
    if not reach.admits(target.scheme, target.host, target.port):
        raise OriginForbidden(f"{host(target)} is not on this mirror's `allow` list")
    guarded = reach.guarded(target.scheme, host(target))
    if guarded and literal(target.host) and not public(target.host):
        raise OriginForbidden(f"{host(target)} is not a public address (`allow_private = true` would let it be asked)")
    return guarded


def _interim(tell: Interim, status: int, fields: tuple[tuple[bytes, bytes], ...]) -> None:
    tell(status, end_to_end(fields).without("content-length"))  # RFC 9110 §8.6: it would speak of no body


def _sendable(field: tuple[str, str]) -> bool:
    """False for an ETag that the transport cannot send back (it is no UTF-8): we ask for the whole then."""
    name, value = field
    try:
        value.encode("latin-1").decode()
    except UnicodeError:
        return name != "if-none-match"
    return True


async def _close(answer: Answer | None) -> None:
    if answer is not None:
        await answer.aclose()
