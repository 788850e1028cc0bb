"""`/{mirror}/{path}`: the mirrors, as a plain ASGI application."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mirror import frozen as dated
from mirror.audit.handed import OPEN, Decision, handed
from mirror.counters import NOBODY, Counters
from mirror.engine import Engine
from mirror.errors import Elsewhere, MirrorError, NotFound, Refused, RequestError, forget
from mirror.model import Headers, Mirror, Request
from mirror.mounts import Mounts
from mirror.ports import Clock, Hop, Upload
from mirror.reply import Reply
from mirror.rights import Tokens
from mirror.web import access
from mirror.web.doors import let_in
from mirror.web.ended import Ended
from mirror.web.prepared import PREPARED, Prepared, different, lasts, small
from mirror.web.replies import INTERIM, LEFT, ZERO_COPY, Interims, Send, Sent, send_error, send_reply

log = access.log

_AUTHORITY = re.compile(r"([a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Names:
    """Where clients see this server: `public_url` ("": as they ask for it), and the hosts that they may ask for.

    `hosts` are in lower case, with a port or for any port. `default` "": the address that the client has reached.
    """

    public_url: str = ""
    hosts: frozenset[str] = frozenset()
    default: str = ""

    def base(self, scope: Scope, headers: Headers) -> str:
        """Scheme and authority of this server for the client that sent this request.

        The Host field is believed only when it names this server: what it says ends up in documents (npm).
        """
        if self.public_url:
            return self.public_url
        asked = (headers.get("host") or "").lower()
        authority = asked if self.known(asked, scope) else self.default or _reached(scope)
        return f"{scope.get('scheme', 'http')}://{authority}"

    def reached(self, host: str, scope: Scope) -> bool:
        """True where a Host is the address by which the client has reached this server, or its public one."""
        return host.lower() in (_reached(scope), urlsplit(self.public_url).netloc)

    def known(self, host: str, scope: Scope) -> bool:
        """True where a Host (`name` or `name:port`) is this server's own."""
        asked = host.lower()
        parts = _AUTHORITY.fullmatch(asked)
        return parts is not None and (parts[1] in self.hosts or asked in self.hosts or asked == _reached(scope))


class Proxy:
    """Gives a request to the engine, and the reply to the client."""

    def __init__(
        self,
        engine: Engine,
        mirrors: tuple[Mirror, ...],
        names: Names,
        mounts: Mounts,
        wall: Clock,
        counters: Counters | None = None,
        tokens: Tokens | None = None,
        gathered: access.Gathered | None = None,
    ) -> None:
        self._engine = engine
        self.become(mirrors, names, mounts)
        self._counters = counters or Counters([*self._mirrors])
        self._gathered = gathered or access.Gathered()
        self._wall = wall
        self._tokens = tokens or Tokens()

    def become(self, mirrors: tuple[Mirror, ...], names: Names, mounts: Mounts) -> None:
        """From now on requests are for these."""
        self._mirrors = {mirror.name: mirror for mirror in mirrors}
        self._names = names
        self._mounts = mounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, send, None)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, prepared: Prepared | None) -> None:
        sent, name = Sent(zero_copy=ZERO_COPY in scope.get("extensions", ())), self._gathered.ids.of(scope)
        ended = Ended(sent, prepared.counted if prepared is not None else self._counters.of(NOBODY))
        interims = Interims(send) if INTERIM in scope.get("extensions", ()) else None
        try:
            reply = await prepared.reply(self._wall()) if prepared is not None else None
            if reply is not None and prepared is not None:
                request, ended.handed = prepared.request, prepared.handed
            else:
                mirror, request = self._request(scope)
                ended.counted = self._counters.of(mirror.name)
                reply = await self._answer(mirror, request, _hop(scope, request, receive, interims), ended)
                reply = await self._prepare(scope, reply, mirror, request, ended)
            ended.outcome, ended.key = reply.outcome, different(reply.key, request)
            await send_reply(reply, request, send, sent, self._wall(), interims)
            if ended.handed is not None and not reply.digest:  # it is stored now, if it is to be
                ended.handed = ended.handed.known(await self._engine.digest(reply))
        except MirrorError as exc:
            ended.failed(f"policy/{ended.rule}" if ended.rule else type(exc).__name__)
            if sent.status:  # the head is out: the server resets the connection
                log.warning("%s: broken off after %d bytes: %s", access.address(scope), sent.count, exc)
            else:
                await send_error(exc, scope["method"], send, sent, self._wall(), name)
            forget(exc)
        except ConnectionError:
            ended.left()
            raise
        except Elsewhere:  # whoever answers logs it
            ended.outcome = None
            raise
        except Exception:
            ended.failed("error")
            log.exception("%s: an error of the mirror's own", access.address(scope))
            if not sent.status:
                own = MirrorError("an error of the mirror's own")
                await send_error(own, scope["method"], send, sent, self._wall(), name)
        finally:
            ended.count()
            self._tell(scope, ended, name)

    async def _answer(self, mirror: Mirror, request: Request, hop: Hop, ended: Ended) -> Reply:
        """The engine's; where a record is kept, `ended` knows the artifact that is handed out, or refused."""
        try:
            reply = await self._engine.answer(mirror, request, hop)
        except Refused as exc:
            if exc.rule:
                ended.withheld(exc.rule)
            if exc.rule and self._gathered.record is not None:
                ended.handed = handed(mirror, request, decision=Decision(exc.rule, allowed=False), refused=True)
            raise
        if request.method == "GET" and self._gathered.record is not None:
            ended.handed = handed(mirror, request, reply.digest, _decision(reply))
        return reply

    def _tell(self, scope: Scope, ended: Ended, name: str) -> None:
        if ended.outcome is not None and (log.isEnabledFor(logging.INFO) or ended.handed is not None):
            self._gathered.add(self._wall(), ended.line(scope, name))
            self._gathered.write()

    async def _prepare(self, scope: Scope, reply: Reply, mirror: Mirror, request: Request, ended: Ended) -> Reply:
        """Give a server that keeps prepared replies this one, if the same request would get it again."""
        keep = scope.get("extensions", {}).get(PREPARED)
        if keep is None or mirror.access != "anyone" or not lasts(reply, request):  # bytes prove no right
            return reply
        reply = await small(reply)
        if reply.lasting is None:  # what is stored could not be read
            return reply
        if not self._holds(mirror):  # it was answered by rules that hold no more
            return reply
        asked = access.Asked.of(scope, access.given(scope))
        keep(Prepared(self._engine, reply, request, asked, self._gathered, ended.counted, self._serve, ended.handed))
        return reply

    def _holds(self, mirror: Mirror) -> bool:
        """Whether it is one of those that there are, or such a one as of a day."""
        known = self._mirrors.get(mirror.name)
        return known is mirror or (mirror.as_of is not None and dated.plain(mirror) == known)

    def close(self) -> None:
        """Write the log lines that are still gathered."""
        self._gathered.write()

    def _request(self, scope: Scope) -> tuple[Mirror, Request]:
        raw = scope["raw_path"].decode("ascii", "replace")
        name, slash, path = raw[1:].partition("/")
        mirror = self._mirrors.get(name)
        if mirror is None and (frozen := dated.mirror(self._mirrors, name, self._wall())):
            mirror, name = frozen
        if mirror is None and (address := self._mounts.named(raw)):
            name, slash, path = address[1:].partition("/")
            mirror = self._mirrors.get(name)
        if mirror is None:
            known = ", ".join(sorted(f"/{name}/" for name in self._mirrors))
            raise NotFound(f"there is no mirror at {access.printable(raw)}; there are {known or 'none'}")
        headers = Headers(tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in scope["headers"]))
        if scope["method"] in ("GET", "HEAD") and (
            headers.get("content-length") not in (None, "0") or "transfer-encoding" in headers
        ):
            raise RequestError(f"a {scope['method']} request with a body has no meaning here")
        token = ""
        if mirror.access != "anyone":
            headers, token = let_in(mirror, scope, headers, self._tokens)
        base = f"{self._names.base(scope, headers)}/{name}"
        query = scope["query_string"].decode("latin-1")
        client = " ".join(str(part) for part in scope.get("client") or ())
        return mirror, Request(scope["method"], slash + path or "/", query, headers, base, client, token)


def _hop(scope: Scope, request: Request, receive: Receive, interims: Interims | None) -> Hop:
    # A change is brought to its end, whoever still waits for it.
    left = scope.get("extensions", {}).get(LEFT) if request.method in ("GET", "HEAD") else None
    return Hop(_upload(request, receive), interims, when_left=left)


def _decision(reply: Reply) -> Decision:
    """What the policy said of what the reply brings."""
    if reply.admitted is None:
        return OPEN
    artifact, verdict = reply.admitted
    return Decision(verdict.rule, verdict.allowed, artifact.first_seen)


def _upload(request: Request, receive: Receive) -> Upload | None:
    """The request's body, as it comes; None where it has none."""
    length = request.headers.get("content-length")
    if "transfer-encoding" not in request.headers and length in (None, "0"):
        return None

    async def chunks() -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError("the client has gone")
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    return Upload(None if length is None else int(length), chunks())


def _reached(scope: Scope) -> str:
    """The local end of the client's connection, as an authority."""
    host, port = scope.get("server") or ("localhost", None)
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"
