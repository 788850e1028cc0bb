"""The admin API below `/-/api`: a file for each verb, with its route and its shapes."""

from __future__ import annotations

from fastapi import APIRouter

from mirror.operations import Operations
from mirror.web.api import (
    clients,
    entries,
    events,
    explain,
    fills,
    held,
    history,
    jobs,
    purge,
    reload,
    stats,
    upstreams,
    warm,
)
from mirror.web.api.about import About
from mirror.web.api.documented import refusals
from mirror.web.api.events import Feed
from mirror.web.api.strict import STRICT
from mirror.web.auth import Rights


def routes(operations: Operations, rights: Rights, about: About, feed: Feed) -> APIRouter:
    """All routes."""
    router = APIRouter(prefix="/api", tags=["admin"], responses=refusals(400, 401, 403), dependencies=[STRICT])
    router.include_router(purge.routes(operations, rights))
    router.include_router(entries.routes(operations, rights))
    router.include_router(jobs.routes(operations, rights))
    router.include_router(stats.routes(operations, rights, about))
    router.include_router(explain.routes(operations, rights))
    router.include_router(fills.routes(operations, rights))
    router.include_router(held.routes(operations, rights))
    router.include_router(history.routes(operations, rights))
    router.include_router(events.routes(feed, rights))
    router.include_router(warm.routes(operations, rights))
    router.include_router(upstreams.routes(operations, rights))
    router.include_router(clients.routes(operations, rights, about))
    if operations.reloading is not None:
        router.include_router(reload.routes(operations.reloading, rights))
    return router
