"""`GET /-/api/jobs`, `GET` and `DELETE /-/api/jobs/{id}`: what takes longer than a request."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from mirror.operations import Operations
from mirror.operations.jobs import Job, Kind, State
from mirror.web.api.documented import refusals
from mirror.web.auth import Rights, Role


class FailureAnswer(BaseModel):
    """One address that failed."""

    url: str
    reason: str


class JobAnswer(BaseModel):
    """A job; times in POSIX seconds. `failures` names the first 100 of those that `failed`."""

    id: str
    kind: Kind
    state: State
    began: float
    ended: float | None
    done: int
    total: int | None = Field(description="null: not known")
    bytes: int
    failed: int
    current: str = Field(description="what it is at; it may wait for its turn")
    error: str = Field(description="why it failed")
    result: dict[str, Any] | None
    failures: list[FailureAnswer]

    @classmethod
    def of(cls, job: Job) -> JobAnswer:
        """The same, as JSON has it."""
        return cls(
            id=job.id,
            kind=job.kind,
            state=job.state,
            began=job.began,
            ended=job.ended,
            done=job.done,
            total=job.total,
            bytes=job.bytes,
            failed=job.failed,
            current=job.current,
            error=job.error,
            result=job.result,
            failures=[FailureAnswer(url=url, reason=reason) for url, reason in job.failures],
        )


class JobsAnswer(BaseModel):
    """Those that run, those that wait for their turn, and the last 50 that ended, the last one first."""

    jobs: list[JobAnswer]


def routes(operations: Operations, rights: Rights) -> APIRouter:
    """The routes."""
    router = APIRouter()

    @router.get("/jobs", dependencies=[rights.needs(Role.READ)])
    async def jobs() -> JobsAnswer:
        """All jobs that run, and the last 50 that ended."""
        return JobsAnswer(jobs=[JobAnswer.of(job) for job in operations.jobs.list()])

    @router.get("/jobs/{id}", dependencies=[rights.needs(Role.READ)], responses=refusals(404))
    async def job(id: str) -> JobAnswer:  # noqa: A002  the name that the address has
        """One job."""
        return JobAnswer.of(operations.jobs.get(id))

    @router.delete("/jobs/{id}", dependencies=[rights.needs(Role.OPERATE)], responses=refusals(404))
    async def stop(id: str) -> JobAnswer:  # noqa: A002
        """Stop a job. What it has done stays done; one that has ended is only told."""
        return JobAnswer.of(await operations.jobs.stop(id))

    return router
