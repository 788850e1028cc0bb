"""`POST /-/api/purge` and `PURGE /{mirror}/path`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from mirror.errors import MirrorError
from mirror.operations import Operations, Selection
from mirror.web.api.refusals import refusal
from mirror.web.auth import Rights, Role


class PurgeBody(BaseModel):
    """What to purge: all that any of `urls`, `prefixes` and `everything` names."""

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


def routes(operations: Operations, rights: Rights) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.post("/purge", dependencies=[rights.needs(Role.OPERATE)])
    async def purge(body: Annotated[PurgeBody, ...]) -> PurgeAnswer:
        """Remove, or expire, what is stored. Nothing matched is no error."""
        selection = Selection(tuple(body.urls), tuple(body.prefixes), body.everything)
        purged = await operations.purge(selection, soft=body.soft, dry_run=body.dry_run)
        return PurgeAnswer(**asdict(purged))

    return router


class PurgeByMethod:
    """`PURGE /{mirror}/path`: the same for one address with all its variants; 404 when nothing was stored."""

    def __init__(self, operations: Operations, rights: Rights) -> None:
        self._operations = operations
        self._rights = rights

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer: Response
        try:
            self._rights.check(Request(scope), Role.OPERATE)
            query = scope["query_string"].decode("latin-1")
            url = scope["raw_path"].decode("ascii", "replace") + (f"?{query}" if query else "")
            purged = await self._operations.purge(Selection(urls=(url,)))
            answer = JSONResponse(asdict(purged), 200 if purged.purged or purged.in_flight else 404)
        except HTTPException as exc:
            answer = refusal(exc.status_code, exc.detail, exc.headers)
        except MirrorError as exc:
            answer = refusal(exc.status, str(exc))
        await answer(scope, receive, send)
