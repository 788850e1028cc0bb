"""What has to change in a packument's text where some of its versions are left out, or dates are added."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from mirror.ecosystems.json_spans import Edit
from mirror.ecosystems.packument_sight import Sight
from mirror.ecosystems.versions import Packument
from mirror.errors import OriginError


def removals(body: bytes, start: int, members: Iterable[tuple[int, bool]]) -> Iterator[Edit]:
    """Takes members out of the object that begins at `start`. `members`: in order, where the value of each ends and
    whether it stays. What stays is as it was, and one comma less goes with each that does not."""
    behind, kept = start + 1, False
    gone: int | None = None  # where a run of members that go begins: behind the one before it
    for end, stays in members:
        if not stays and gone is None:
            gone = behind
        elif stays and gone is not None:
            yield (gone, behind, b"") if kept else (gone, body.index(b",", behind) + 1, b"")
            gone = None
        kept, behind = kept or stays, end
    if gone is not None:
        yield gone, behind, b""


def versions(packument: Packument, hidden: set[str]) -> Iterator[Edit]:
    """Takes the hidden versions out."""
    if hidden:
        members = ((version.end, name not in hidden) for name, version in packument.versions.items())
        yield from removals(packument.body, packument.versions_at, members)


def around(packument: Packument, sight: Sight, hidden: set[str]) -> list[Edit]:
    """All else that changes in the full document, in order. OriginError where it says twice what something has to be
    left out of: a client may take the one that we have not looked at."""
    edits: list[Edit] = []
    if hidden and packument.twice:
        raise OriginError("the origin's document has two members of one name: nothing can be left out of it")
    if hidden:
        edits += _moved(packument, sight, hidden)
        if packument.time is not None:
            members = ((end, name not in hidden) for name, (_, _, end) in packument.times.items())
            edits += removals(packument.body, packument.time[0], members)
    ends = restrictions(packument, sight, hidden)
    if first_seen := sight.first_seen(hidden):
        added = b",".join(_member(name, when) for name, when in first_seen.items())
        if packument.time is None:
            ends += b',"time":{' + added + b"}"
        elif packument.body[packument.time[0]] == ord("{"):
            comma = b"," if any(name not in hidden for name in packument.times) else b""
            edits.append((packument.time[1] - 1, packument.time[1] - 1, comma + added))
        ends += b',"_mirror":{"first-seen":[' + b",".join(_text(name) for name in first_seen) + b"]}"
    if ends:
        end = packument.body.rindex(b"}")  # nothing but white space follows
        edits.append((end, end, ends))
    return sorted(edits)


def instead(packument: Packument, sight: Sight, hidden: set[str]) -> dict[str, bytes]:
    """What takes the place of members of the abbreviated document."""
    found = {"dist-tags": sight.tags(hidden), "modified": sight.modified(hidden)} if hidden else {}
    return {name: value for name, value in found.items() if value is not None}


def restrictions(packument: Packument, sight: Sight, hidden: set[str]) -> bytes:
    """A member at the document's end that tells npm why a version is not there: it prints that, where nothing else
    fits (npm-pick-manifest's `policyRestrictions`). Other clients do not look at it."""
    if not hidden:
        return b""
    name = packument.body[slice(*packument.name)] if packument.name else b'""'
    names = (version for version in packument.versions if version in hidden)
    parts = (b'%s:{"name":%s,"version":%s}' % (_text(version), name, _text(version)) for version in names)
    return b',"policyRestrictions":{"message":%s,"versions":{%s}}' % (_text(sight.judge.message), b",".join(parts))


def _moved(packument: Packument, sight: Sight, hidden: set[str]) -> Iterator[Edit]:
    """The dist-tags, and each `modified`."""
    if packument.tags is not None and (tags := sight.tags(hidden)) is not None:
        yield *packument.tags, tags
    newest = sight.modified(hidden)
    text, *span = packument.times.get("modified", (None, 0, 0))
    for where in (packument.stated, None if text is None else (span[0], span[1])):
        if where is not None and newest is not None:
            yield *where, newest


def _member(name: str, value: bytes) -> bytes:
    return _text(name) + b":" + value


def _text(text: str) -> bytes:
    return json.dumps(text).encode()
