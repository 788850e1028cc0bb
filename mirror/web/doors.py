"""Mirrors that are for those who show a token (`access = "token"`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirror.errors import Unproven
from mirror.model import Headers, Mirror
from mirror.rights import Tokens

PROXIED = "mirror.proxied"
"""The extension of a scope whose client takes this server for its proxy."""

_BASIC = 'Basic realm="mirror"'


def let_in(mirror: Mirror, scope: Mapping[str, Any], headers: Headers, tokens: Tokens) -> tuple[Headers, str]:
    """The request's fields less the credentials, which were for this server, and may neither reach an upstream nor make
    the answer one client's (RFC 9111 §3.5); and the name of the token that they were.

    Through a proxy they stand in Proxy-Authorization, and Authorization is the origin's (RFC 9110 §11.7). Any role will
    do. Raises Unproven, TooOften.
    """
    proxied = PROXIED in scope.get("extensions", ())
    name = "proxy-authorization" if proxied else "authorization"
    try:
        token = tokens.token(headers.all(name), (scope.get("client") or ("",))[0])
    except Unproven as exc:
        npm = mirror.ecosystem == "npm" and not proxied  # which says what is wrong by the first scheme
        challenge = f'Bearer realm="mirror", {_BASIC}' if npm else _BASIC
        raise Unproven(f"/{mirror.name}/: {exc}", challenge, proxy=proxied) from exc
    return headers.without(name), token.name
