"""`POST /-/api/reload`: the configuration is read again."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from mirror.errors import ConfigError
from mirror.operations.reloading import Reloading
from mirror.web.auth import Rights, Role


class ReloadAnswer(BaseModel):
    """What became of it. Keys are written as `section.key`, `mirrors.NAME.key`, or `mirrors.NAME` where a mirror has
    come or gone."""

    reloaded: bool
    changed: list[str] = Field(description="what has changed and is in force")
    restart: list[str] = Field(description="what differs from the file and waits for a restart")


def routes(reloading: Reloading, rights: Rights) -> APIRouter:
    """The route."""
    router = APIRouter()
    refusals = {
        401: {"description": "a token is needed"},
        403: {"description": "not from there, or not with this role"},
        409: {"description": "the file is wrong, and `detail` says how; the configuration stays as it was"},
    }

    @router.post("/reload", dependencies=[rights.needs(Role.ADMIN)], responses=refusals)  # type: ignore[arg-type]
    async def reload() -> ReloadAnswer:
        """Read the configuration again, as SIGHUP does: all of it that a running server can take is put in force at
        once. No request fails, and running downloads go on."""
        try:
            reloaded = await reloading.reload()
        except ConfigError as exc:
            raise HTTPException(409, str(exc)) from exc
        return ReloadAnswer(reloaded=True, changed=list(reloaded.changed), restart=list(reloaded.restart))

    return router
