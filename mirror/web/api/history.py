"""`GET /-/api/history`: what was answered, served and fetched, step by step."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from mirror.operations import Operations
from mirror.operations.history import Sample, Span
from mirror.web.auth import Rights, Role


class SampleAnswer(BaseModel):
    """One step, of all mirrors and processes; see `stats` for the names."""

    at: float = Field(description="when it ended, in POSIX seconds")
    requests: dict[str, int]
    bytes_served: int
    bytes_saved: int
    bytes_fetched: int
    errors: int

    @classmethod
    def of(cls, sample: Sample) -> SampleAnswer:
        """The same, as JSON has it."""
        count = sample.count
        return cls(
            at=sample.at,
            requests=count.requests,
            bytes_served=count.served,
            bytes_saved=count.saved,
            bytes_fetched=count.fetched,
            errors=count.requests["ERROR"],
        )


class HistoryAnswer(BaseModel):
    """The samples, the oldest first."""

    step: float = Field(description="seconds of one step")
    began: float = Field(description="POSIX seconds: nothing is known of before")
    samples: list[SampleAnswer]


def routes(operations: Operations, rights: Rights) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/history", dependencies=[rights.needs(Role.READ)])
    async def history(span: Span = "hour") -> HistoryAnswer:
        """The last hour in steps of 10 s, or the last day in steps of 300 s; in memory, since the server started."""
        series = operations.history.series(span)
        samples = [SampleAnswer.of(sample) for sample in series.samples]
        return HistoryAnswer(step=series.step, began=series.began, samples=samples)

    return router
