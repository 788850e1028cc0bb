"""The admin API below `/-/api`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from mirror.errors import MirrorError
from mirror.operations import Operations, Selection
from mirror.web.auth import check_right


class PurgeBody(BaseModel):
    """What to purge; at least one of `urls`, `prefixes` and `everything`."""

    model_config = ConfigDict(extra="forbid")

    urls: list[str] = Field(default_factory=list, max_length=1000, description="as clients ask them: /pypi/simple/six/")
    prefixes: list[str] = Field(default_factory=list, max_length=1000, description="beginnings of such: /npm/@acme/")
    everything: bool = False
    soft: bool = Field(default=False, description="expire, keep the bytes")
    dry_run: bool = Field(default=False, description="only tell what would go")


class PurgeAnswer(BaseModel):
    """What became of a purge; `entries` names the first 100."""

    matched: int
    purged: int
    bytes: int
    in_flight: int
    soft: bool
    dry_run: bool
    entries: list[str]


def routes(operations: Operations, token: str) -> APIRouter:
    """The routes; `token` "" allows changes from loopback only."""

    async def may_change(request: Request) -> None:
        check_right(request, token)

    router = APIRouter(prefix="/api", tags=["admin"])

    @router.post("/purge", dependencies=[Depends(may_change)])
    async def purge(body: Annotated[PurgeBody, ...]) -> PurgeAnswer:
        """Remove, or expire, what is stored. Nothing matched is no error."""
        selection = Selection(tuple(body.urls), tuple(body.prefixes), body.everything)
        purged = await operations.purge(selection, soft=body.soft, dry_run=body.dry_run)
        return PurgeAnswer(**asdict(purged))

    return router


class PurgeByMethod:
    """`PURGE /{mirror}/path`: the same for one address with all its variants; 404 when nothing was stored."""

    def __init__(self, operations: Operations, token: str) -> None:
        self._operations = operations
        self._token = token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope)
        try:
            check_right(request, self._token)
            query = f"?{request.url.query}" if scope["query_string"] else ""
            url = scope["raw_path"].decode("ascii", "replace") + query
            purged = await self._operations.purge(Selection(urls=(url,)))
            status, body = 200 if purged.purged or purged.in_flight else 404, asdict(purged)
        except HTTPException as exc:
            status, body = exc.status_code, {"detail": exc.detail, "error": exc.detail}
        except MirrorError as exc:
            status, body = exc.status, {"detail": str(exc), "error": str(exc)}
        await JSONResponse(body, status)(scope, receive, send)
