"""Who may change things below `/-/api`."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable

from fastapi import HTTPException
from starlette.requests import Request

_THROUGH_PROXY = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


def check_right(request: Request, token: str, ours: Callable[[Request], bool]) -> None:
    """Raise 401 or 403 unless the request may make a change.

    With a token: it must be shown (`Authorization: Bearer`). Without one: loopback clients only, who ask for a name
    that is `ours` (a page whose own name was made to lead here is of the same origin to its browser), not a proxy for
    others. In no case a page of another origin (a browser names the origin; programs do not).
    """
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or (
        origin is not None and origin.partition("://")[2] != request.headers.get("host")
    ):
        raise HTTPException(403, "changes from pages of another origin are refused")
    if token:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), token.encode()):
            raise HTTPException(401, "a valid token is needed", {"WWW-Authenticate": 'Bearer realm="mirror"'})
        return
    host = request.client.host if request.client else ""
    if (host and not _loopback(host)) or any(name in request.headers for name in _THROUGH_PROXY):
        raise HTTPException(403, "without an admin token, changes are allowed from this machine only")
    if not ours(request):
        raise HTTPException(403, "without an admin token, changes are allowed under this server's own names only")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
