"""The admin API below `/-/api`: a file for each verb, with its route and its shapes."""

from __future__ import annotations

from fastapi import APIRouter

from mirror.operations import Operations
from mirror.web.api import jobs, purge, reload, stats
from mirror.web.api.documented import refusals
from mirror.web.auth import Rights


def routes(operations: Operations, rights: Rights, started: float) -> APIRouter:
    """All routes. `started`: when the server was, by the monotonic clock."""
    router = APIRouter(prefix="/api", tags=["admin"], responses=refusals(400, 401, 403))
    router.include_router(purge.routes(operations, rights))
    router.include_router(jobs.routes(operations, rights))
    if operations.reloading is not None:
        router.include_router(reload.routes(operations.reloading, rights))
    router.include_router(stats.routes(operations, rights, started))
    return router
