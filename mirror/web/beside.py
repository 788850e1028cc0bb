"""What is answered beside the mirrors: below `/-/`, by PURGE, and what nobody need look at to refuse it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mirror.counters import Counted
from mirror.errors import MirrorError
from mirror.outcome import Outcome
from mirror.web.access import Gathered, log
from mirror.web.ended import Ended
from mirror.web.replies import Send, Sent, marked, send_error
from mirror.web.shapes import instance

Application = Callable[[Any, Any, Any], Awaitable[None]]


class Beside:
    """Tells the log of such requests; refusals are counted, too, as requests for no mirror."""

    def __init__(self, gathered: Gathered, counted: Counted) -> None:
        self._gathered = gathered
        self._counted = counted

    async def refuse(self, error: MirrorError, scope: Mapping[str, Any], send: Send) -> None:
        """Answer with this error."""
        ended, name = Ended(Sent(), self._counted), self._gathered.ids.of(scope)
        ended.failed(type(error).__name__)
        try:
            await send_error(error, scope["method"], send, ended.sent, time.time(), name)
        finally:
            ended.count()
            self._tell(logging.INFO, scope, ended, name)

    async def answer(self, application: Application, scope: Mapping[str, Any], receive: Any, send: Send) -> None:
        """Have it answered. It is not counted; who only looks is told of at the level debug."""
        name = self._gathered.ids.of(scope)
        ended = Ended(Sent(), self._counted, Outcome(detail="local"), word="BYPASS")
        looks = scope["method"] in ("GET", "HEAD")
        try:
            marking = marked(send, time.time())
            await application(scope, receive, _watched(_named(marking, name), ended.sent))
        finally:
            self._tell(logging.DEBUG if looks else logging.INFO, scope, ended, name)

    def _tell(self, level: int, scope: Mapping[str, Any], ended: Ended, name: str) -> None:
        if log.isEnabledFor(level):
            self._gathered.add(time.time(), ended.line(scope, name))
            self._gathered.write()


def _watched(send: Send, sent: Sent) -> Send:
    """`send` of which `sent` is to know."""

    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            sent.status = message["status"]
        elif message["type"] == "http.response.body":
            sent.begun()
        await send(message)
        if message["type"] == "http.response.body":
            sent.count += len(message.get("body", b""))
            sent.complete = not message.get("more_body", False)

    return sending


def _named(send: Send, name: str) -> Send:
    """`send` for problems (RFC 9457) that others make: they carry the request's name, as ours do."""
    start: dict[str, Any] | None = None

    async def sending(message: dict[str, Any]) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and _problem(message):
            start = message  # its length is not the right one yet
            return
        if start is not None:
            head, message = _with_name(start, message, name)
            start = None
            await send(head)
        await send(message)

    return sending


def _problem(start: dict[str, Any]) -> bool:
    return (b"content-type", b"application/problem+json") in map(tuple, start["headers"])


def _with_name(start: dict[str, Any], message: dict[str, Any], name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Head and body of a problem, which come in two messages."""
    fields, body = [*start["headers"], (b"x-request-id", name.encode())], message.get("body", b"")
    if body and not message.get("more_body", False):
        told = {**json.loads(body), "instance": instance(name)}
        body = json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace")
        length = str(len(body)).encode()
        fields = [(field, length if field == b"content-length" else value) for field, value in fields]
    return {**start, "headers": fields}, {**message, "body": body}
