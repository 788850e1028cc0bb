"""Explain: how a request would be answered now, and why. Nobody is asked for it, and nothing is changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mirror.foreseeing import Foreseen
from mirror.httpcache.decision import failed
from mirror.httpcache.freshness import Reckoned, reckoned
from mirror.model import Entry, Headers, Mirror, Plan, Ready, Request, Rule
from mirror.operations import reasons
from mirror.operations.asking import Asking
from mirror.operations.entries import Entries, Listed
from mirror.operations.reached import Reached, Upstream
from mirror.operations.running import Looks, Running
from mirror.operations.shown import shown
from mirror.policy.artifact import Verdict
from mirror.ports import Clock

_SHOWN = (
    *("age", "cache-control", "cdn-cache-control", "content-encoding", "content-type", "date", "etag", "expires"),
    *("last-modified", "location", "vary"),
)

Foresee = Callable[[Mirror, Request], Awaitable[Foreseen]]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored for the request: as it is listed, how its freshness comes about by the rule of this request, some
    of its fields, and whether its bytes are there."""

    listed: Listed
    reckoned: Reckoned
    headers: dict[str, str]
    blob_present: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """See the module. `decision`: hit, stale hit, revalidate, miss or pass; redirect or local for an answer that needs
    neither store nor origin; error where there is none. `upstreams`: the URLs that are asked where anybody is, in
    order of preference, as far as that is known before an index is read; `learns`: the documents that would be.
    `verdict`: the policy's, of the artifact that this is, or speaks of."""

    url: str
    mirror: Mirror
    decision: str
    reason: str
    key: str = ""
    kind: str = ""
    upstreams: tuple[str, ...] = ()
    learns: tuple[str, ...] = ()
    rule: Rule | None = None
    stored: Stored | None = None
    digest: str | None = None
    fill: Running | None = None
    upstream_states: list[Upstream] = field(default_factory=list)
    redirect: str | None = None
    error: str | None = None
    verdict: Verdict | None = None


class Explaining:
    """Explains. `foresee` is the engine's."""

    def __init__(
        self, asking: Asking, foresee: Foresee, entries: Entries, looks: Looks, reached: Reached, wall: Clock
    ) -> None:
        self._asking = asking
        self._foresee = foresee
        self._entries = entries
        self._looks = looks
        self._reached = reached
        self._wall = wall

    async def explain(self, url: str) -> Explained:
        """What would become of a request for this address, or for this URL of an upstream; RequestError where it can
        be neither."""
        mirror, request = self._asking.request(url)
        address = f"{request.base}{request.path}" + (f"?{request.query}" if request.query else "")
        found = await self._foresee(mirror, request)
        if found.ready is not None:
            return _local(address, mirror, found.ready)
        if found.plan is None:
            error = str(found.error)
            states = self._reached.of(mirror.upstreams)
            return Explained(address, mirror, "error", error, error=error, upstream_states=states)
        return self._planned(address, mirror, request, found, found.plan)

    def _planned(self, address: str, mirror: Mirror, request: Request, found: Foreseen, plan: Plan) -> Explained:
        now, entry = self._wall(), found.looked.entry if found.looked else None
        urls = (*plan.urls, *plan.alternates)
        states = self._reached.of(urls or mirror.upstreams)
        reason = reasons.reason(found, plan, now)
        if found.outcome is None and found.error is None and found.fill is None:
            served = not found.gone and failed(plan, entry, now, request) is not None
            reason += reasons.resting(states, served=served, package=plan.rule.package)
        digest = str(plan.digest) if plan.digest else f"sha256:{entry.digest}" if entry else None
        return Explained(
            url=address,
            mirror=mirror,
            decision=reasons.word(found),
            reason=reason,
            key=plan.key,
            kind=kind(plan),
            upstreams=tuple(shown(url, address) for url in urls),
            learns=found.learns,
            rule=plan.rule,
            stored=self._stored(entry, plan.rule, now, gone=found.gone) if entry else None,
            digest=digest,
            fill=self._looks.look(found.fill) if found.fill else None,
            upstream_states=states,
            error=str(found.error) if found.error else None,
            verdict=found.verdict,
        )

    def _stored(self, entry: Entry, rule: Rule, now: float, *, gone: bool) -> Stored:
        listed, reckoning = self._entries.listed(entry), reckoned(entry, rule, now)
        return Stored(listed, reckoning, _fields(entry.head.headers), not gone)


def kind(plan: Plan) -> str:
    """What stands at that address: release (APT), index, file, document (of a package mirror), passed (never stored) or
    response (of any server)."""
    rule = plan.rule
    if not rule.store:
        return "passed"
    if plan.generation:
        return "release"
    if plan.rewrite or plan.facts or (plan.lookup and plan.lookup.generation):
        return "index"
    if not rule.package:
        return "response"
    return "file" if rule.immutable or plan.lookup or plan.digest or rule.public else "document"


def _local(address: str, mirror: Mirror, ready: Ready) -> Explained:
    location = ready.headers.get("location")
    if location is not None:
        return Explained(address, mirror, "redirect", f"the canonical name is {location}", redirect=location)
    reason = f"this server answers that itself, with {ready.status}"
    return Explained(address, mirror, "local", reason, error=reason if ready.status >= 400 else None)


def _fields(headers: Headers) -> dict[str, str]:
    """Some of a stored answer's fields; of where it redirects to not the query, which may be a signature."""
    found = {name: value for name in _SHOWN if (value := headers.get(name)) is not None}
    return found | ({"location": shown(found["location"])} if "location" in found else {})
