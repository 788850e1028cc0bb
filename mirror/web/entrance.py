"""What every request below `/-/` needs before a route sees it: a right, a body in JSON, and not too much of it.

A route says itself which role it needs (`Rights.needs`); but that is asked when the body has been read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import HTTPException
from starlette.requests import Request

from mirror.web.api.refusals import refusal
from mirror.web.auth import Rights, Role

LARGEST = 16 << 20
"""Bytes of a request's body: 10 000 long addresses."""

_LOOKING = ("GET", "HEAD")


class Entrance:
    """The ASGI application `inside`, for those who may."""

    def __init__(self, inside: Callable[..., Any], rights: Rights) -> None:
        self._inside = inside
        self._rights = rights

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope)
        try:
            role = _role(request)
            if role is not None:
                self._rights.check(request, role)
            if request.method not in _LOOKING:
                receive = _bounded(request, receive)
        except HTTPException as exc:
            await refusal(exc.status_code, exc.detail, exc.headers)(scope, receive, send)
        else:
            await self._inside(scope, receive, send)


def _role(request: Request) -> Role | None:
    """What the request needs at least, whatever its route: nothing is changed by GET. The page is open: what it shows,
    it asks for."""
    path = request.scope["path"]  # as the routes see it
    if request.method not in _LOOKING:
        return Role.OPERATE
    return Role.READ if path.startswith(("/-/api", "/-/metrics")) else None


def _bounded(request: Request, receive: Any) -> Any:
    """`receive` of a body that is JSON, and raises HTTPException where it is too large."""
    length = request.headers.get("content-length", "0")
    if length == "0" and "transfer-encoding" not in request.headers:
        return receive
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # a form of a browser's can send some others to anybody, without asking first
        raise HTTPException(415, "the body has to be JSON (Content-Type: application/json)")
    too_large = HTTPException(413, f"the body has more than {LARGEST} bytes")
    if int(length) > LARGEST:
        raise too_large
    count = 0

    async def received() -> Any:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > LARGEST:
            raise too_large
        return message

    return received
