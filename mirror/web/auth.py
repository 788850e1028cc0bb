"""Who may change things below `/-/api`."""

from __future__ import annotations

import hmac
import ipaddress

from fastapi import HTTPException
from starlette.requests import Request


def check_right(request: Request, token: str) -> None:
    """Raise 401 or 403 unless the request may make a change.

    With a token: it must be shown (`Authorization: Bearer`). Without one: loopback clients only, and no page of another
    origin on their behalf (a browser names the origin; programs do not).
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
    if host and not _loopback(host):
        raise HTTPException(403, "without an admin token, changes are allowed from this machine only")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
