"""`POST /-/api/purge` and `PURGE /{mirror}/path`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from mirror.errors import MirrorError
from mirror.operations import Operations, Selection
from mirror.web.api.documented import refusals
from mirror.web.api.refusals import refusal
from mirror.web.auth import Rights, Role


class PurgeBody(BaseModel):
    """What to purge: all that any of these names; at least one of them must."""

    model_config = ConfigDict(extra="forbid")

    urls: list[str] = Field(default_factory=list, max_length=1000, description="as clients ask them: /pypi/simple/six/")
    prefixes: list[str] = Field(default_factory=list, max_length=1000, description="beginnings of such: /npm/@acme/")
    globs: list[str] = Field(
        default_factory=list,
        max_length=1000,
        description="over whole addresses: `*` within a path segment, `**` across, `?` one character, `[...]`",
    )
    tags: list[str] = Field(default_factory=list, max_length=1000, description="as entries have them: npm:react")
    purls: list[str] = Field(
        default_factory=list,
        max_length=1000,
        description="pkg:pypi/six: a package's documents and files; pkg:npm/%40acme/x@1.0.0: one version's files; "
        "pkg:deb/debian/curl: the archive's files of that name, with `?arch=` those of one architecture",
    )
    mirrors: list[str] = Field(default_factory=list, max_length=1000, description="by name")
    everything: bool = False
    soft: bool = Field(default=False, description="expire, keep the bytes")
    dry_run: bool = Field(default=False, description="only tell what would go, and how many bytes that would free")

    def selection(self) -> Selection:
        """What is selected."""
        lists = ("urls", "prefixes", "globs", "tags", "purls", "mirrors")
        return Selection(**{name: tuple(getattr(self, name)) for name in lists}, everything=self.everything)


class PurgeAnswer(BaseModel):
    """What became of a purge, or what it has come to so far, where `job` goes on with it; `entries` names the first
    100."""

    matched: int
    purged: int
    bytes: int
    in_flight: int
    soft: bool
    dry_run: bool
    entries: list[str]
    job: str | None = Field(description="the id of the job that goes on with it")


def routes(operations: Operations, rights: Rights) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.post(
        "/purge",
        dependencies=[rights.needs(Role.OPERATE)],
        responses={202: {"model": PurgeAnswer, "description": "It goes on as a job"}, **refusals(500, 503)},
    )
    async def purge(body: Annotated[PurgeBody, ...], response: Response) -> PurgeAnswer:
        """Remove, or expire, what is stored. Nothing matched is no error. What takes more than 2 s goes on as a job."""
        purged = await operations.purge(body.selection(), soft=body.soft, dry_run=body.dry_run)
        response.status_code = 200 if purged.job is None else 202
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
