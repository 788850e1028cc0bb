"""Who may do what below `/-/`, and for whom a mirror is."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from fastapi import Depends, HTTPException
from starlette.requests import Request

from mirror.errors import TooOften, Unproven
from mirror.rights import Role, Tokens, loopback
from mirror.settings import AdminSettings

__all__ = ["Rights", "Role"]

_THROUGH_PROXY = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


class Rights:
    """Checks requests. `ours` says whether a Host, for that request, is a name of this server's."""

    def __init__(self, tokens: Tokens, ours: Callable[[str, Request], bool]) -> None:
        self._tokens = tokens
        self._ours = ours
        self._reads = False
        self._proxied = ""

    def become(self, admin: AdminSettings, proxied: str) -> None:
        """From now on it is as `admin` says; the mirrors, which share the tokens, see it too. `proxied`: the key of
        [server] that says that a proxy stands in front, or ""."""
        self._tokens.known = admin.known
        self._reads = admin.reads == "token"
        self._proxied = proxied

    def needs(self, role: Role) -> Any:
        """The same as a dependency of a FastAPI route."""

        async def check(request: Request) -> None:
            self.check(request, role)

        return Depends(check)

    def check(self, request: Request, role: Role) -> None:
        """Raise HTTPException 401, 403 or 429 unless the request may do it. Looking is free, unless a token
        is asked for that, too.

        Else, with a token configured: one that carries the role must be shown (`Authorization: Bearer T`, or Basic with
        T as password). With none: loopback clients only, who ask for a name that is this server's own (a page whose own
        name was made to lead here is of the same origin to its browser), not through a proxy. In no case a change by a
        page of another origin (a browser names the origin; programs do not).
        """
        if role <= Role.READ and not self._reads:
            return
        if role > Role.READ:
            _same_origin(request)
        if self._tokens.known:
            self._shown(request, role)
        else:
            self._here(request)

    def _shown(self, request: Request, role: Role) -> None:
        client = request.client.host if request.client else ""
        try:
            carried = self._tokens.role(request.headers.getlist("authorization"), client)
        except TooOften as exc:
            raise HTTPException(429, str(exc), {"Retry-After": str(ceil(exc.retry_after))}) from exc
        except Unproven as exc:
            raise HTTPException(401, str(exc), {"WWW-Authenticate": _challenge(request)}) from exc
        if carried < role:
            needed, shown = role.name.lower(), carried.name.lower()
            raise HTTPException(403, f"this needs a token of the role {needed}; the one shown is of the role {shown}")

    def _here(self, request: Request) -> None:
        host = request.client.host if request.client else ""
        if self._proxied:
            raise HTTPException(
                403,
                f"changes need a token, and none is set (`mirror token` makes one): {self._proxied} of [server] says "
                "that a proxy stands in front, and behind it every client looks like this machine",
            )
        if (host and not loopback(host)) or any(name in request.headers for name in _THROUGH_PROXY):
            raise HTTPException(403, "without an admin token, changes are allowed from this machine only")
        if not self._ours(request.headers.get("host", ""), request):
            raise HTTPException(403, "without an admin token, changes are allowed under this server's own names only")


def _challenge(request: Request) -> str:
    """How to show a token. To a page's own requests not by Basic, for which a browser would ask the user itself."""
    bearer = 'Bearer realm="mirror"'
    asked_by_page = request.headers.get("sec-fetch-mode", "navigate") != "navigate"
    return bearer if asked_by_page else f'{bearer}, Basic realm="mirror"'


def _same_origin(request: Request) -> None:
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or (
        origin is not None and origin.partition("://")[2] != request.headers.get("host")
    ):
        raise HTTPException(403, "changes from pages of another origin are refused")
