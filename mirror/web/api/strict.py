"""Query parameters that no route knows are refused by name: one that is misspelt must not be one that is ignored."""

from __future__ import annotations

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from mirror.errors import RequestError


async def _strict(request: Request) -> None:
    route = request.scope.get("route")
    known = {param.alias for param in route.dependant.query_params} if isinstance(route, APIRoute) else set()
    for name in request.query_params:
        if name not in known:
            raise RequestError(
                f"query.{name}: there is no such parameter; there are {', '.join(sorted(known)) or 'none'}"
            )


STRICT = Depends(_strict)
"""A dependency of a route with parameters."""
