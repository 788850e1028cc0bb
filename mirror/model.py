"""The nouns that every part shares: requests, plans, stored answers, outcomes. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import inf
from urllib.parse import urlsplit

from mirror.digest import Digest, strongest
from mirror.fact import Fact
from mirror.headers import Headers
from mirror.policy.artifact import OPEN, Artifact, Gate
from mirror.policy.frozen import AsOf
from mirror.reach import Reach, Route
from mirror.rewrite import Rewrite, Rewritten

__all__ = [
    "Digest",
    "Entry",
    "Fact",
    "Head",
    "Headers",
    "Inside",
    "Lookup",
    "Mirror",
    "Plan",
    "Ready",
    "Request",
    "Rewrite",
    "Rewritten",
    "Rule",
    "Subject",
    "strongest",
]


VIA = "1.1 mirror"
"""What this server adds to Via, in requests and answers (RFC 9110 §7.6.3)."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks of one mirror.

    `path` is the raw (percent-encoded) path below the mirror's name, with leading slash; `query` is raw, less the `?`.
    `base` is the mirror's address as this client sees it, without a trailing slash (`http://host:8000/npm`). `client`
    is the client's own address and, behind a space, its connection's port; "" where it has none. `token` is the name of
    the token that it has shown, "" where it needs none.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = Headers()
    base: str = ""
    client: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """How long what is stored may be used. Durations in seconds.

    `ttl` is the freshness lifetime, whatever the origin says; None obeys the origin (RFC 9111 §4.2); inf: immutable.
    `grace` is stale-while-revalidate, `keep` stale-if-error (RFC 5861); `negative_ttl` is the ttl of 404 and 410
    (None obeys the origin). `store` False passes every answer through. `public`: what it says of sharing does not
    count. `package`: the ecosystem's rules overrule the origin's and the client's directives; False: a shared cache as
    RFC 9111 wants it.
    """

    ttl: float | None = None
    grace: float = 0.0
    keep: float = 0.0
    negative_ttl: float | None = None
    store: bool = True
    package: bool = False
    public: bool = False

    @property
    def immutable(self) -> bool:
        return self.ttl == inf


@dataclass(frozen=True, slots=True)
class Mirror:
    """One mount: `/{name}/...`, its ecosystem, and where its upstreams are.

    `upstreams` are base URLs without a trailing slash, in order of preference. `unavailable` is the reason why the
    mirror cannot work (an `auto` upstream that found no client), else "". Durations in seconds. `auth` is the field
    (name, value) that carries the credentials for these upstreams, and for nobody else. Of `http` mirrors: `follow`
    follows redirects instead of handing them on, `client_auth` hands on a client's credentials and cookies. `reach`
    says where requests may go. `keyring` is the file of the keys that must have signed an APT archive's releases, ""
    where that is the clients' affair alone; `snapshots`: for how many seconds replaced ones are kept. `access`
    "token": clients have to show one. `max_size`: bytes on disk that may be stored of it, None where it has no share of
    its own. `gate` says which packages get through. `private_upstreams` are asked for the packages of the house, and
    they alone, with `private_auth`. `dated`: where a document states no date, clients get that on which this mirror
    first saw the artifact. `as_of`: this is the mirror as of then (see `mirror.frozen`).
    """

    name: str
    ecosystem: str
    upstreams: tuple[str, ...] = ()
    ttl: float | None = None
    grace: float = 86400.0
    keep: float = 30 * 86400.0
    offline: bool = False
    complete_ranges: bool = True
    auth: tuple[str, str] | None = field(default=None, repr=False)
    unavailable: str = ""
    follow: bool = False
    client_auth: bool = False
    reach: Reach = field(default_factory=Reach)
    keyring: str = ""
    snapshots: float = 0.0
    access: str = "anyone"
    max_size: int | None = None
    gate: Gate = OPEN
    private_upstreams: tuple[str, ...] = ()
    private_auth: tuple[str, str] | None = field(default=None, repr=False)
    dated: bool = False
    as_of: AsOf | None = None

    def route(self, plan: Plan, request: Request | None = None) -> Route:
        """How the requests of a plan travel, for the client of that request: with the credentials, when all of its
        addresses have the origin (scheme, host, port) of an upstream."""
        auth, upstreams = (self.private_auth, self.private_upstreams) if plan.private else (self.auth, self.upstreams)
        origins = {_origin(upstream) for upstream in upstreams} - {None}
        known = all(_origin(url) in origins for url in plan.urls)
        client = request.client.partition(" ")[0] if request is not None else ""
        return Route(auth if known else None, plan.follow, self.reach, self.name, client)


def _origin(url: str) -> tuple[str, str] | None:
    """Scheme, and host with port; None where a document names what is no URL."""
    try:
        return urlsplit(url)[:2]
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Lookup:
    """Which fact a plan still lacks: the fact `name`, in the facts that the documents at `slots` gave.

    `documents` are paths below the mirror, one for each slot, to be fetched (as `accept`, the form that has the facts)
    when the slot has no such fact; no slots at all: search the facts of all documents of the mirror. `required`:
    without the fact there is no such file (404); otherwise the plan goes on as it is. `eager`: looked up before a
    stored answer is used, too, because the fact says which bytes are right now. `found` is the rule once the fact is
    known. `generation`: the documents are releases, and what counts is the one that this client was given.
    `complete` is pure: what the plan is, once the fact is known, beyond its address, digest, size and rule. `suits`:
    the name is not known, and this tells which fact of the slots is meant.
    """

    name: str
    slots: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    required: bool = False
    accept: str = "*/*"
    eager: bool = False
    found: Rule | None = None
    generation: bool = False
    complete: Callable[[Plan, Fact], Plan] | None = None
    suits: Callable[[Fact], bool] | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The artifact that a plan brings, or says something of: nobody gets that where the mirror's gate refuses it.

    `tell` reads from the address what that tells of it, which most requests for an artifact that is known do not need;
    `lookup` finds the fact that knows more.
    """

    tell: Callable[[], Artifact]
    lookup: Lookup

    @property
    def artifact(self) -> Artifact:
        """What the address tells of it."""
        return self.tell()


@dataclass(frozen=True, slots=True)
class Inside:
    """What is asked for is also inside the file `key`; `read` is pure: that file -> its bytes, OriginError if not."""

    key: str
    read: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one request means: which stored answer it wants, where its body comes from, by which rule.

    `key` is the canonical address as clients ask for it (`/pypi/simple/six/`, with `?query` where it counts), after a
    space the variant where one address has several.
    `urls` are the addresses at the origin, in order of preference, `alternates` those that are asked where it has no
    such file; `send` the fields for it; `digest` and `size` what the body must be; `tags` the surrogate keys;
    `content_type` replaces the origin's where it is not empty.
    `follow`: redirects are followed, and the answer is stored under the address that was asked for.
    `check` is pure and raises OriginError when a 200's beginning (its first bytes, at most 512) or fields are not what
    this path holds (a login page instead of an archive).
    `facts` is pure: (body, fields) -> what this document says of files; kept under `slot`.
    `generation`: this document is (part of) a release of that name. It replaces the one before with all that it names,
    and nobody gets a byte of it before that is done.
    `missing` is what clients get where the origin has no such document (404, 410) and says so in another language than
    theirs (anything but JSON). `most` is how many bytes a request's body may have.
    `inside`: where else the bytes are, if the origin has not the right ones. `proof` is pure and raises OriginError
    where a whole 200 is no document of the kind; where there are `facts`, reading them is the proof. `subject`: the
    artifact that the gate is asked about, where the mirror has one. `private`: it is of a package of the house, and
    its URLs are those of the house's own upstream. `tells` is pure: (body, fields) of a request -> the body that goes
    to the origin; RequestError where it cannot be read.
    """

    key: str
    urls: tuple[str, ...]
    rule: Rule
    send: Headers = Headers()
    digest: Digest | None = None
    size: int | None = None
    tags: tuple[str, ...] = ()
    rewrite: Rewrite | None = None
    content_type: str = ""
    lookup: Lookup | None = None
    slot: str = ""
    facts: Callable[[bytes, Headers], Iterable[Fact]] | None = None
    check: Callable[[bytes, Headers], None] | None = None
    follow: bool = True
    alternates: tuple[str, ...] = ()
    generation: str = ""
    missing: Ready | None = None
    most: int | None = None
    inside: Inside | None = None
    proof: Callable[[bytes, Headers], None] | None = None
    subject: Subject | None = None
    private: bool = False
    tells: Callable[[bytes, Headers], bytes] | None = None

    @property
    def proven(self) -> bool:
        """Whether a 200 that came whole needs no further look: its digest is known, or nothing is read from it."""
        return self.digest is not None or (self.facts is None and self.proof is None)

    def completed(self, fact: Fact) -> Plan:
        """This plan with what the fact that it looked up says."""
        lookup = self.lookup or Lookup(fact.name)
        plan = replace(
            self,
            urls=(fact.url,) if fact.url else self.urls,
            digest=fact.digest or self.digest,
            size=self.size if fact.size is None else fact.size,
            rule=lookup.found or self.rule,
            lookup=None,
        )
        return lookup.complete(plan, fact) if lookup.complete else plan


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer that needs neither store nor origin: a redirect to the canonical name, a refusal."""

    status: int
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and fields of a response, with the wall-clock seconds of its request and arrival (RFC 9111 §4.2.3).

    Made to expire by an operator: `requested_at` is negative, `received_at` is when that was. `reason` is the phrase
    of the status line, "" for the usual one.
    """

    status: int
    headers: Headers
    requested_at: float
    received_at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored response without its bytes.

    `head` is what clients see; `validators` are the origin's own ETag / Last-Modified, for conditional requests to it;
    `blob` is the id of the stored bytes, `size` their number, `digest` their sha256 (hex); `url` where they came from.
    """

    key: str
    url: str
    head: Head
    validators: Headers
    blob: str
    size: int
    digest: str
    tags: tuple[str, ...] = ()
