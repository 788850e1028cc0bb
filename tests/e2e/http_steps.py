"""What a case of `http_cases.py` is made of: one clause, one sentence, and the exchanges that show it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.instruments.script import Reply

Lines = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A request, what the origin would answer, and what has to come back.

    `more` follows the case's own path. `origin`: its replies, and it must be asked so often, not at all for (); a reply
    with `again` is for one request or more. `has` and `told` are lines of the answer and of what the origin was asked:
    `name: value` exactly, `name~pattern` somewhere in the value; of the origin's also `:method` and `:target`. `lacks`
    and `untold` name fields. `matches` is a pattern for the whole body. `cache` has members of our Cache-Status, with
    `!` those that must not be there. `sent` is the body that the origin got. `broken`: the answer must not look whole.
    `behind`: the origin is asked after the answer. `until`: asked until it is answered so. `meanwhile` happens while
    the answer is held in mid-body.
    """

    method: str = "GET"
    more: str = ""
    fields: tuple[str, ...] = ()
    body: bytes = b""
    chunked: bool = False
    version: str = "1.1"
    origin: tuple[Reply, ...] = ()
    status: int = 200
    reason: str = ""
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    gets: bytes | None = None
    matches: bytes = b""
    cache: str = ""
    told: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    sent: bytes | None = None
    interim: tuple[int, ...] = ()
    broken: bool = False
    close: bool = False
    behind: bool = False
    until: bool = False
    meanwhile: Step | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """`name` is a sentence, `clause` where the rule stands, `says` what the mirror does; `departs`: why, where the RFC
    would have or allow something else. `mirror` is one of those in `test_http.py`.

    In fields, `{path}` is the case's path at the origin, `{origin}` the origin's address, `{-100}` the date 100 seconds
    before the case begins, `{-100 rfc850}` and `{-100 asctime}` the same in the old formats.
    """

    name: str
    clause: str
    says: str
    steps: tuple[Step, ...]
    departs: str = ""
    mirror: str = "o"


def case(name: str, clause: str, says: str, *steps: Step, departs: str = "", mirror: str = "o") -> Case:
    return Case(name, clause, says, steps, departs, mirror)


def ok(*fields: str, **more: Any) -> Reply:
    """The origin's 200, with the body `hello` where no other is given."""
    return Reply(200, fields, **more)


def reply(status: int, *fields: str, **more: Any) -> Reply:
    return Reply(status, fields, **more)


def raw(*lines: str, body: str = "", end: str = "close") -> Reply:
    """Exactly these lines and this body."""
    return Reply(raw="\r\n".join((*lines, "", body)).encode("latin-1"), end=end)


HANGUP = Reply(raw=b"", end="close", again=True)
"""The origin takes the request and closes the connection, as often as it is asked."""

NONSENSE = Reply(raw=b"\0\r\n\r\n", end="close", again=True)
"""An answer that is no HTTP."""


def ask(*fields: str, origin: Reply | tuple[Reply, ...] = (), has: Lines = (), lacks: Lines = (), **more: Any) -> Step:
    """A request of a client (GET where `method` says nothing else)."""
    for name in ("told", "untold"):
        more[name] = _several(more.get(name, ()))
    replies = origin if isinstance(origin, tuple) else (origin,)
    return Step(fields=fields, origin=replies, has=_several(has), lacks=_several(lacks), **more)


def hit(*fields: str, gets: bytes | None = b"hello", **more: Any) -> Step:
    """The same, answered from the store: the origin must not be asked."""
    return ask(*fields, gets=gets, **{"cache": "hit"} | more)


def miss(answer: Reply, *fields: str, **more: Any) -> Step:
    """The same, and the origin must be asked, once, and its answer go out with its status and body."""
    found = {"status": answer.status, "gets": b"" if answer.status in (204, 304) else answer.body}
    return ask(*fields, origin=answer, **found | {"cache": "!hit"} | more)


def stored(name: str, clause: str, says: str, answer: Reply, *fields: str, **more: Any) -> Case:
    """A case: this answer is stored, and the next request is answered with it."""
    again = hit(*fields, status=answer.status, gets=b"" if answer.status == 204 else answer.body)
    return case(name, clause, says, miss(answer, *fields, cache="!hit stored"), again, **more)


def unstored(name: str, clause: str, says: str, answer: Reply, *fields: str, **more: Any) -> Case:
    """A case: this answer is not stored, so that the next request gets the next one."""
    other = replace(answer, body=b"other")
    return case(name, clause, says, miss(answer, *fields, cache="!hit !stored"), miss(other, *fields), **more)


def fresh(name: str, clause: str, says: str, *fields: str, **more: Any) -> Case:
    """A case: a 200 with these fields is stored and used without asking."""
    return stored(name, clause, says, ok(*fields), **more)


def stale(name: str, clause: str, says: str, *fields: str, **more: Any) -> Case:
    """A case: a 200 with these fields is asked about before it is used again."""
    tagged = ok(*fields, 'etag: "one"')
    confirmed = reply(304, 'etag: "one"')
    again = ask(origin=confirmed, gets=b"hello", told='if-none-match: "one"', cache="fwd=stale fwd-status=304")
    return case(name, clause, says, miss(tagged), again, **more)


def _several(lines: Lines) -> tuple[str, ...]:
    return (lines,) if isinstance(lines, str) else tuple(lines)
