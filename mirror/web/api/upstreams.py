"""`GET /-/api/upstreams`: how each upstream does."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from mirror.operations import Operations
from mirror.operations.reached import Upstream
from mirror.web.auth import Rights, Role


class UpstreamAnswer(BaseModel):
    """One server that mirrors ask."""

    name: str = Field(description="scheme://host:port")
    mirrors: list[str] = Field(description="whose it is; none for one that an index page led to")
    state: Literal["up", "busy", "down"] = Field(
        description="busy: it is there, and in trouble or asks to be left alone; down: it cannot be reached"
    )
    since: float = Field(description="POSIX seconds")
    error: str = Field(description="what went wrong last, with the host; empty for nothing")
    error_at: float | None = Field(description="POSIX seconds")
    resting: float = Field(description="in how many seconds it is asked again; 0: it is asked now")

    @classmethod
    def of(cls, known: Upstream) -> UpstreamAnswer:
        """The same, as JSON has it."""
        return cls(
            name=known.name,
            mirrors=list(known.mirrors),
            state=known.state,
            since=known.since,
            error=known.error,
            error_at=known.error_at,
            resting=known.resting,
        )


class UpstreamsAnswer(BaseModel):
    """Those of the configuration, and those of others that were asked lately; 1000 at most."""

    upstreams: list[UpstreamAnswer]


def routes(operations: Operations, rights: Rights) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/upstreams", dependencies=[rights.needs(Role.READ)])
    async def upstreams() -> UpstreamsAnswer:
        """How each upstream does, as this server has met it."""
        return UpstreamsAnswer(upstreams=[UpstreamAnswer.of(known) for known in operations.upstreams()])

    return router
