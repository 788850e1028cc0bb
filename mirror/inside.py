"""Files whose bytes are inside another one that may be stored: a wheel's metadata."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable

from mirror.documents import parts
from mirror.errand import Errand
from mirror.errors import MirrorError, OriginError
from mirror.heads import client_head
from mirror.lookup import Lookups
from mirror.model import Digest, Head, Headers, Inside, Plan
from mirror.outcome import Outcome
from mirror.outside import Outside
from mirror.reply import InMemory, Reply, document

log = logging.getLogger("mirror.engine")

_LARGEST = 64 * 1024 * 1024  # bytes of a file that is taken into memory for it


class Insides:
    """Answers what may be inside another file. `carry` has a request answered as others are."""

    def __init__(self, outside: Outside, lookups: Lookups, carry: Callable[[Errand], Awaitable[Reply]]) -> None:
        self._outside = outside
        self._lookups = lookups
        self._carry = carry

    async def reply(self, errand: Errand, inside: Inside) -> Reply:
        """The origin's file, where it has the right one, else the one that is inside the other."""
        try:
            reply = await self._carry(errand)
            if reply.outcome.hit or reply.head.status != 200 or errand.request.method == "HEAD":
                good = reply.head.status == 200
            else:
                reply, good = await _whole(reply), True
        except OriginError:
            other = await self._other(errand, inside)
            if other is None:
                raise
            return other
        try:
            other = None if good else await self._other(errand, inside)
        except BaseException:
            await reply.source.close()
            raise
        if other is None:
            return reply
        await reply.source.close()
        return other

    async def _other(self, errand: Errand, inside: Inside) -> Reply | None:
        try:
            known = await self._lookups.resolve(errand.mirror, errand.plan)
        except MirrorError:
            return None
        return await _taken_out(self._outside, known, inside)


async def _whole(reply: Reply) -> Reply:
    """The reply with all of its body; OriginError where it breaks off."""
    try:
        body = b"".join(await parts(reply.source))
    finally:
        await reply.source.close()
    return document(reply, reply.head, len(body), InMemory(body))


async def _taken_out(outside: Outside, plan: Plan, inside: Inside) -> Reply | None:
    """The reply with the bytes from inside the file that is stored; None where it is not, or they are not the right
    ones. `plan` has what is known of them: without a digest they are not taken."""
    entry = await outside.index.get(inside.key)
    if entry is None or entry.head.status != 200 or entry.size > _LARGEST or plan.digest is None:
        return None
    blob = await outside.store.open(entry.blob)
    if blob is None:
        return None
    try:
        body = await asyncio.to_thread(_read, inside.read, b"".join(await parts(blob)), plan.digest)
    except MirrorError as exc:
        log.warning("%s: not taken out of %s: %s", plan.key, inside.key, exc)
        return None
    finally:
        await blob.close()
    now = outside.wall()
    told = Head(200, Headers().set("last-modified", entry.head.headers.get("last-modified") or ""), now, now)
    head = client_head(plan, told, len(body))
    return Reply(head, len(body), InMemory(body), Outcome(hit=True, detail="inside"), key=plan.key)


def _read(read: Callable[[bytes], bytes], file: bytes, digest: Digest) -> bytes:
    body = read(file)
    if hashlib.new(digest.algorithm, body).hexdigest() != digest.value:
        raise OriginError("they are other bytes than announced")
    return body
