"""`GET /-/api/entries`: what is stored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from mirror.errors import RequestError
from mirror.operations import Operations
from mirror.operations.entries import Listed, Listing, Question, State
from mirror.operations.ranking import MOST
from mirror.web.api.documented import refusals
from mirror.web.auth import Rights, Role

_ORDER = "other than key: the first `limit`, 100 at most, of all or of one mirror, as they were a minute ago at most"


class EntryAnswer(BaseModel):
    """An entry. Durations in seconds, times in POSIX seconds."""

    key: str = Field(description="the address here, and after a space the variant of it that this is")
    mirror: str
    url: str = Field(description="where it came from, without credentials")
    status: int
    size: int = Field(description="bytes of the body")
    type: str = Field(description="its Content-Type")
    stored_at: float = Field(description="when it came, or was last confirmed, or made to expire")
    age: float
    ttl: float | None = Field(
        description="seconds for which it is fresh yet; null: never stale, or its rule is not known"
    )
    state: State = Field(
        description="stale: served while it is renewed, or where the upstream fails; expired: beyond that, or purged "
        "softly; negative: a 404 or 410"
    )
    tags: list[str]
    digest: str = Field(description="of the body: sha256:HEX")
    last_access: float | None = Field(description="since the server started; null: not used since, or long ago")
    hits: int | None = Field(description="at least so many since the server started; null as last_access")

    @classmethod
    def of(cls, listed: Listed) -> EntryAnswer:
        """The same, as JSON has it."""
        return cls.model_validate({**asdict(listed), "tags": list(listed.tags)})


class EntriesAnswer(BaseModel):
    """A page of entries. `cursor` goes on behind it (null: that was the last one); `complete` false: there was no time
    to look for more, and the cursor goes on. `as_of`: when the order was found out, by `order` other than key."""

    entries: list[EntryAnswer]
    cursor: str | None
    complete: bool
    as_of: float | None

    @classmethod
    def of(cls, listing: Listing) -> EntriesAnswer:
        """The same, as JSON has it."""
        entries = [EntryAnswer.of(listed) for listed in listing.entries]
        return cls(entries=entries, cursor=listing.cursor, complete=listing.complete, as_of=listing.as_of)


_Text = Annotated[str, Query(max_length=4096)]


def routes(operations: Operations, rights: Rights) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/entries", dependencies=[rights.needs(Role.READ)], responses=refusals(500))
    async def entries(
        mirror: Annotated[str, Query(max_length=100, description="by name")] = "",
        prefix: Annotated[_Text, Query(description="that the key begins with")] = "",
        tag: Annotated[_Text, Query(description="that it has: npm:react")] = "",
        search: Annotated[_Text, Query(description="what its key has in it, in any case")] = "",
        state: State | None = None,
        order: Annotated[Literal["key", "largest", "oldest", "used"], Query(description=_ORDER)] = "key",
        cursor: Annotated[str, Query(max_length=12288, description="that the page before ended with")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> EntriesAnswer:
        """What is stored, in pages: an entry that stands all the time comes exactly once."""
        if order == "key":
            question = Question(mirror, prefix, tag, search, state, limit, cursor)
            return EntriesAnswer.of(await operations.entries.page(question))
        others = {"prefix": prefix, "tag": tag, "search": search, "state": state, "cursor": cursor}
        for name in [name for name, value in others.items() if value]:
            raise RequestError(f"query.{name}: goes with the order of keys alone")
        return EntriesAnswer.of(await operations.entries.first(order, mirror, min(limit, MOST)))

    return router
