"""Who may do what below `/-/`."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from fastapi import Depends, HTTPException
from starlette.requests import Request

_THROUGH_PROXY = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


class Role(IntEnum):
    """What a request may do; each may do all that those before it may."""

    READ = 1  # look at what is stored and counted
    OPERATE = 2  # purge, warm, refresh
    ADMIN = 3  # change how the server runs


class Rights:
    """Checks requests. `ours` says whether a Host, for that request, is a name of this server's."""

    def __init__(self, token: str, ours: Callable[[str, Request], bool]) -> None:
        self._token = token
        self._ours = ours

    def become(self, token: str) -> None:
        """From now on this is the token."""
        self._token = token

    def needs(self, role: Role) -> Any:
        """The same as a dependency of a FastAPI route."""

        async def check(request: Request) -> None:
            self.check(request, role)

        return Depends(check)

    def check(self, request: Request, role: Role) -> None:
        """Raise HTTPException 401 or 403 unless the request may do it. Looking is free.

        Else, with a token: it must be shown (`Authorization: Bearer`). Without one: loopback clients only, who ask for
        a name that is this server's own (a page whose own name was made to lead here is of the same origin to its
        browser), not a proxy for others. In no case a page of another origin (a browser names the origin; programs do
        not).
        """
        if role <= Role.READ:
            return
        _same_origin(request)
        if self._token:
            scheme, _, shown = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), self._token.encode()):
                raise HTTPException(401, "a valid token is needed", {"WWW-Authenticate": 'Bearer realm="mirror"'})
            return
        host = request.client.host if request.client else ""
        if (host and not _loopback(host)) or any(name in request.headers for name in _THROUGH_PROXY):
            raise HTTPException(403, "without an admin token, changes are allowed from this machine only")
        if not self._ours(request.headers.get("host", ""), request):
            raise HTTPException(403, "without an admin token, changes are allowed under this server's own names only")


def _same_origin(request: Request) -> None:
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or (
        origin is not None and origin.partition("://")[2] != request.headers.get("host")
    ):
        raise HTTPException(403, "changes from pages of another origin are refused")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
