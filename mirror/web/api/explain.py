"""`GET /-/api/explain?url=`: how a request would be answered now, and why."""

from __future__ import annotations

from dataclasses import asdict
from math import isinf
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from mirror.model import Rule
from mirror.operations import Operations
from mirror.operations.explaining import Explained, Stored
from mirror.operations.reasons import arithmetic
from mirror.policy.artifact import Verdict
from mirror.web.api.entries import EntryAnswer
from mirror.web.api.fills import FillAnswer
from mirror.web.api.upstreams import UpstreamAnswer
from mirror.web.auth import Rights, Role

Address = Annotated[
    str, Query(max_length=8192, description="an address here (/pypi/simple/six/), or the URL of an upstream")
]


class RuleAnswer(BaseModel):
    """The rule of what stands there; seconds."""

    ttl: float | None = Field(description="freshness; null: the origin's word counts, or it is immutable")
    grace: float = Field(description="for so long a stale answer is served while it is renewed")
    keep: float | None = Field(description="for so long it is served where the upstream fails; null: for ever")
    negative_ttl: float | None = Field(description="freshness of a 404; null: the origin's word counts")
    store: bool
    immutable: bool

    @classmethod
    def of(cls, rule: Rule) -> RuleAnswer:
        """The same, as JSON has it."""
        return cls(
            ttl=_finite(rule.ttl),
            grace=rule.grace,
            keep=_finite(rule.keep),
            negative_ttl=rule.negative_ttl,
            store=rule.store,
            immutable=rule.immutable,
        )


class FreshnessAnswer(BaseModel):
    """How the freshness of what is stored comes about; seconds."""

    age: float
    lifetime: float | None = Field(description="null: for ever")
    ttl: float | None = Field(description="what remains, negative: stale for so long; null: for ever")
    source: Literal["rule", "max-age", "s-maxage", "expires", "heuristic", "immutable"]
    arithmetic: str

    @classmethod
    def of(cls, stored: Stored) -> FreshnessAnswer:
        """The same, as JSON has it."""
        found = stored.reckoned
        return cls(
            age=found.age,
            lifetime=_finite(found.lifetime),
            ttl=_finite(found.ttl),
            source=found.source,
            arithmetic=arithmetic(found),
        )


class StoredAnswer(EntryAnswer):
    """What is stored for the request, as `entries` tells it, with some of its fields."""

    headers: dict[str, str]
    blob_present: bool = Field(description="whether its bytes are there")

    @classmethod
    def about(cls, stored: Stored) -> StoredAnswer:
        """The same, as JSON has it."""
        told = EntryAnswer.of(stored.listed).model_dump()
        return cls(**told, headers=stored.headers, blob_present=stored.blob_present)


class PolicyAnswer(BaseModel):
    """What the policy says of the artifact."""

    rule: Literal["malicious", "private", "deny", "allow", "exempt", "fix", "unknown", "cooldown", "frozen", "none"] = (
        Field(description="which one decided; none: nothing speaks against it")
    )
    allowed: bool
    enforced: bool = Field(description="false: the mode is audit, and what is not allowed is given all the same")
    reason: str
    until: float | None = Field(description="from then on it may be otherwise, seconds since 1970; null: not known")
    dated: Literal["origin", "first seen", ""] = Field(description="where the date of its publication is from")

    @classmethod
    def of(cls, verdict: Verdict) -> PolicyAnswer:
        """The same, as JSON has it."""
        return cls.model_validate(asdict(verdict) | {"until": _finite(verdict.until)})


class ExplainAnswer(BaseModel):
    """How a request would be answered now, and why."""

    url: str = Field(description="the address here")
    mirror: str
    ecosystem: str
    key: str = Field(description="under which the answer is stored; empty where nothing would be")
    class_: str = Field(
        alias="class", description="release, index, file, document, response, passed; empty where it is nothing"
    )
    upstreams: list[str] = Field(description="where it comes from where anybody is asked, in order of preference")
    learns: list[str] = Field(description="documents that are asked for before, because they say where it is")
    rule: RuleAnswer | None
    decision: Literal["hit", "stale hit", "revalidate", "miss", "pass", "redirect", "local", "error"]
    reason: str
    entry: StoredAnswer | None
    freshness: FreshnessAnswer | None
    digest: str | None = Field(description="what the body must be, or is, as algorithm:hex")
    fill: FillAnswer | None = Field(description="the download that the request would join")
    upstream_states: list[UpstreamAnswer]
    policy: PolicyAnswer | None = Field(description="null: there is none, or nothing is known yet that it could judge")
    redirect: str | None
    error: str | None

    @classmethod
    def of(cls, found: Explained) -> ExplainAnswer:
        """The same, as JSON has it."""
        fields = {
            "url": found.url,
            "mirror": found.mirror.name,
            "ecosystem": found.mirror.ecosystem,
            "key": found.key,
            "class": found.kind,
            "upstreams": list(found.upstreams),
            "learns": list(found.learns),
            "rule": RuleAnswer.of(found.rule) if found.rule else None,
            "decision": found.decision,
            "reason": found.reason,
            "entry": StoredAnswer.about(found.stored) if found.stored else None,
            "freshness": FreshnessAnswer.of(found.stored) if found.stored else None,
            "digest": found.digest,
            "fill": FillAnswer.of(found.fill) if found.fill else None,
            "upstream_states": [UpstreamAnswer.of(known) for known in found.upstream_states],
            "policy": PolicyAnswer.of(found.verdict) if found.verdict else None,
            "redirect": found.redirect,
            "error": found.error,
        }
        return cls.model_validate(fields)


def routes(operations: Operations, rights: Rights) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/explain", dependencies=[rights.needs(Role.READ)])
    async def explain(url: Address) -> ExplainAnswer:
        """How a request of the usual client for that address would be answered now, and why. No upstream is asked, and
        nothing changes."""
        return ExplainAnswer.of(await operations.explain(url))

    return router


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or isinf(seconds) else seconds
