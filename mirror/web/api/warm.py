"""`POST /-/api/warm`, `GET /-/api/warm/{id}`, `POST /-/api/refresh`: fetch before clients ask, ask upstreams again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from mirror.operations import Operations
from mirror.web.api.documented import refusals
from mirror.web.api.jobs import JobAnswer
from mirror.web.auth import Rights, Role


class UrlsBody(BaseModel):
    """Addresses as clients ask them (`/pypi/simple/six/`), or URLs of an upstream."""

    model_config = ConfigDict(extra="forbid")

    urls: list[Annotated[str, Field(min_length=1, max_length=8192)]] = Field(min_length=1, max_length=10_000)


def routes(operations: Operations, rights: Rights) -> APIRouter:
    """The routes."""
    router = APIRouter()
    operate, more = [rights.needs(Role.OPERATE)], refusals(503)

    @router.post("/warm", status_code=202, dependencies=operate, responses=more)
    async def warm(body: UrlsBody) -> JobAnswer:
        """Have all of them stored, as the usual client would ask for them: a job, whose `bytes` are those of the bodies
        that were fetched or there already."""
        return JobAnswer.of(operations.warm(body.urls))

    @router.get("/warm/{id}", dependencies=[rights.needs(Role.READ)], responses=refusals(404))
    async def warming(id: str) -> JobAnswer:  # noqa: A002  the name that the address has
        """How far it is: the same as `jobs/{id}`."""
        return JobAnswer.of(operations.jobs.get(id))

    @router.post("/refresh", status_code=202, dependencies=operate, responses=more)
    async def refresh(body: UrlsBody) -> JobAnswer:
        """Ask the upstreams for all of them now: a job. What is stored stays where an upstream fails."""
        return JobAnswer.of(operations.refresh(body.urls))

    return router
