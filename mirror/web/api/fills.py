"""`GET /-/api/fills`: the downloads that run now."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from mirror.operations import Operations
from mirror.operations.running import Running
from mirror.web.auth import Rights, Role


class FillAnswer(BaseModel):
    """One download from an upstream, which all who ask for its key share."""

    key: str
    mirror: str
    url: str = Field(description="where it comes from; a query that may sign it is hidden")
    there: int = Field(description="bytes that are here")
    total: int | None = Field(description="bytes of the whole; null: the upstream did not say")
    rate: float = Field(description="bytes per second, since it was looked at the last time")
    readers: int = Field(description="who waits for it, or reads it")
    segments: int = Field(description="connections that fetch it")
    age: float = Field(description="seconds")
    stored: bool = Field(description="whether it will be stored")
    state: Literal["opening", "running", "storing"]

    @classmethod
    def of(cls, running: Running) -> FillAnswer:
        """The same, as JSON has it."""
        return cls(
            key=running.key,
            mirror=running.mirror,
            url=running.url,
            there=running.there,
            total=running.total,
            rate=round(running.rate, 1),
            readers=running.readers,
            segments=running.segments,
            age=round(running.age, 3),
            stored=running.stored,
            state=running.state,
        )


class FillsAnswer(BaseModel):
    """All that run, the oldest first; 1000 at most."""

    fills: list[FillAnswer]


def tell(operations: Operations) -> FillsAnswer:
    """What the route tells."""
    return FillsAnswer(fills=[FillAnswer.of(running) for running in operations.fills()])


def routes(operations: Operations, rights: Rights) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/fills", dependencies=[rights.needs(Role.READ)])
    async def fills() -> FillsAnswer:
        """The downloads that run now."""
        return tell(operations)

    return router
