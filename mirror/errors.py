"""What can go wrong, as one tree; each class carries the status that a client is answered with.

MirrorError
├── ConfigError            the configuration is wrong (never reaches a client)
├── RequestError      400  the client asked for something that no mirror can mean
│   ├── Unproven      401  who asks has to show a token (407: to the proxy)
│   ├── NotFound      404
│   ├── NotAllowed    405
│   ├── TooLarge      413
│   ├── TooOften      429  too many wrong tokens
│   └── Refused       403
│       └── Withheld  403  the policy keeps it back
├── Unavailable       503  this mirror cannot work now: not configured, draining, too many waiting
├── OriginError       502  the origin did not do its part
│   ├── OriginTimeout 504  no head, or too few bytes, in the given time
│   ├── OriginRefused 502  reset before the head
│   │   └── OriginUnreachable 502  no connection, broken TLS
│   ├── OriginResting 503  it could not be reached lately, or asked for it, and is left alone for a while
│   ├── Truncated     502  the body ended before its end
│   ├── Mismatch      502  length or digest is not what was announced
│   ├── NotAdopted    502  a new release cannot be served (yet)
│   ├── OriginForbidden 403  the origin, or where it redirects to, may not be asked
│   └── Changed       502  a resumed download turned out to be another object
├── Offline           504  nothing stored, and the origin may not be asked
└── StoreError        500  the disk refused (the engine turns it into a pass-through)
    ├── Unreadable    500  what is stored cannot be read (it is fetched again)
    └── NoRoom        507  the object does not fit into the cache

Elsewhere                  no error: this process may only read, and hands the request over
"""

from __future__ import annotations

from math import inf


class MirrorError(Exception):
    """Root of all errors of ours. `str(error)` is a sentence that a person understands.

    `retry_after` is in how many seconds it is worth asking again, 0 where that is not known.
    """

    status: int = 500
    retry_after: float = 0.0


def forget(failure: BaseException | None) -> None:
    """What a failure, and those that it comes from, know of where they were raised; to be called where one has become
    an answer, or is kept for others. The frames that it was raised through know it mostly: only the collector would
    find both, and everybody waits for that."""
    known: set[int] = set()  # two may each come from the other
    while failure is not None and id(failure) not in known:
        known.add(id(failure))
        failure.__traceback__ = None
        failure = failure.__cause__ or failure.__context__


class Elsewhere(Exception):  # no MirrorError: whoever goes on after one of those must not go on after this
    """Another process has to answer: what is asked for takes more than reading what is stored."""


class ConfigError(MirrorError):
    """The configuration is wrong; `problems` has one line for each thing that is."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class RequestError(MirrorError):
    """The client's request has no meaning here."""

    status = 400


class NotFound(RequestError):
    status = 404


class NotAllowed(RequestError):
    """A method that is not possible here; `allow` lists those that are (RFC 9110 §10.2.1)."""

    status = 405

    def __init__(self, text: str, allow: str = "GET, HEAD") -> None:
        super().__init__(text)
        self.allow = allow


class TooLarge(RequestError):
    """More bytes in the request's body than may be sent to where it goes."""

    status = 413


class Refused(RequestError):
    """`rule`: which rule of the policy decided that; "" where it was none of these."""

    status = 403

    def __init__(self, text: str, rule: str = "") -> None:
        super().__init__(text)
        self.rule = rule


class Withheld(Refused):
    """The policy keeps it back, for the reason that the text says. `until` is the instant (seconds since the epoch)
    from which on that may be otherwise; inf where none is known."""

    def __init__(self, text: str, until: float = inf, rule: str = "") -> None:
        super().__init__(text or "the policy of this mirror keeps it back", rule)
        self.until = until


class Unproven(RequestError):
    """Who asks has shown no token, or a wrong one. `challenge` says how it is shown (RFC 9110 §11.3); `proxy`: to this
    server as the client's proxy (407)."""

    status = 401

    def __init__(self, text: str, challenge: str = "", *, proxy: bool = False) -> None:
        super().__init__(text)
        self.challenge = challenge
        self.proxy = proxy
        self.status = 407 if proxy else 401


class TooOften(RequestError):
    """Too many wrong tokens came from the client's address; `retry_after` says when the next one is looked at."""

    status = 429

    def __init__(self, text: str, retry_after: float) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Unavailable(MirrorError):
    """The mirror cannot work now; a client may come again later."""

    status = 503


class OriginError(MirrorError):
    """The origin did not do its part."""

    status = 502


class OriginTimeout(OriginError):
    status = 504


class OriginRefused(OriginError):
    pass


class OriginUnreachable(OriginRefused):
    pass


class OriginResting(OriginError):
    status = 503


class OriginForbidden(OriginError):
    status = 403


class Truncated(OriginError):
    pass


class Mismatch(OriginError):
    pass


class NotAdopted(OriginError):
    pass


class Changed(OriginError):
    pass


class Offline(MirrorError):
    """Nothing is stored, and the origin may not be asked (`offline = true`, or `only-if-cached`)."""

    status = 504


class Unanswered(MirrorError):
    """A server did not do what the command line asked it for; `status` is its answer's, 0 where there was none."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class StoreError(MirrorError):
    """The disk refused; clients do not see it, because the engine then passes the body through. `errno` is the system's
    word for why, 0 where it has not said so."""

    status = 500

    def __init__(self, text: str, errno: int | None = 0) -> None:
        super().__init__(text)
        self.errno = errno or 0


class Unreadable(StoreError):
    """`sent`: bytes of the piece that could be read, and went out, before."""

    def __init__(self, text: str, errno: int | None = 0, sent: int = 0) -> None:
        super().__init__(text, errno)
        self.sent = sent


class NoRoom(StoreError):
    """`errno` 0: a limit of ours; else the file system is full."""

    status = 507
