"""`GET /-/api/held?mirror=`: what the policy keeps back, and until when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from mirror.operations import Operations
from mirror.operations.withholding import Withheld, Withholding
from mirror.web.api.explain import PolicyAnswer
from mirror.web.auth import Rights, Role


class HeldAnswer(PolicyAnswer):
    """An artifact that is not given, and what the policy says of it."""

    address: str = Field(description="where it would be")
    package: str
    version: str
    file: str
    published: float | None = Field(description="what the upstream's document says, seconds since 1970; null: nothing")
    first_seen: float | None = Field(description="when an index named it to this mirror first")

    @classmethod
    def about(cls, held: Withheld) -> HeldAnswer:
        """The same, as JSON has it."""
        artifact = held.artifact
        return cls(
            **PolicyAnswer.of(held.verdict).model_dump(),
            address=held.address,
            package=artifact.package,
            version=artifact.version,
            file=artifact.file,
            published=artifact.published,
            first_seen=artifact.first_seen,
        )


class HeldListAnswer(BaseModel):
    """A page of them. `cursor` goes on behind it (null: there are no more); `complete` false: there was no time to look
    for more, and the cursor goes on."""

    held: list[HeldAnswer]
    cursor: str | None
    complete: bool

    @classmethod
    def listed(cls, page: Withholding) -> HeldListAnswer:
        """The same, as JSON has it."""
        return cls(held=[HeldAnswer.about(each) for each in page.held], cursor=page.cursor, complete=page.complete)


def routes(operations: Operations, rights: Rights) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/held", dependencies=[rights.needs(Role.READ)])
    async def held(
        mirror: Annotated[str, Query(max_length=100, description="by name")],
        cursor: Annotated[str, Query(max_length=8192, description="where the page before ended")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> HeldListAnswer:
        """What the policy does not give of all that the indexes have named which this mirror has read, and until when;
        in mode audit what it would not give. Nothing where the mirror has no policy."""
        return HeldListAnswer.listed(await operations.held(mirror, cursor, limit))

    return router
