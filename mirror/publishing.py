"""The end of a fill: what has come whole is verified, stored, in the index; then, and not before, its last bytes go."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from mirror import variants
from mirror.body import Body
from mirror.errors import StoreError
from mirror.heads import same_validators
from mirror.httpcache import vary
from mirror.model import Entry

if TYPE_CHECKING:
    from mirror.fill import Fill
    from mirror.opened import Whole
    from mirror.ports import Note

log = logging.getLogger("mirror.fill")


async def publish(fill: Fill, body: Body) -> Entry | None:
    """Verified, stored, in the index: then, and not before, the last bytes may go. The entry, if there is one."""
    partial = body.partial
    if partial is None or body.refused or body.total is None:
        await _unstored(fill, body)
        return None
    partial.note = _noted(fill, partial.note)
    try:
        entry = await partial.commit(body.total, body.digest)
    except StoreError as exc:
        log.debug("%s: it is not stored: %s", fill.key, exc)  # the store tells it, once
        await _unstored(fill, body)
        return None
    found = await _published(fill, entry)
    body.release()
    return found


async def publish_whole(fill: Fill, whole: Whole) -> Entry | None:
    """The same for what is here at once, and verified."""
    try:
        entry = await fill.fills.outside.store.put(_noted(fill, whole.note), whole.body)
    except StoreError as exc:
        log.debug("%s: it is not stored: %s", fill.key, exc)  # the store tells it, once
        await _accepted(fill, None)
        return None
    return await _published(fill, entry)


def _noted(fill: Fill, note: Note) -> Note:
    if fill.asked.plan.rule.package:
        return note
    return replace(note, key=vary.key(fill.key, note.head, fill.asked.request) or fill.key)


async def _published(fill: Fill, entry: Entry) -> Entry | None:
    store = fill.fills.outside.store
    try:
        await _accepted(fill, entry)
    except BaseException:
        await store.delete(entry.blob)
        raise
    if not fill.published:
        await store.delete(entry.blob)
        return None
    entry = await _enter(fill, entry)
    return entry if fill.published else None


async def _unstored(fill: Fill, body: Body) -> None:
    """It is handed on and not stored, if it may be."""
    if body.partial is not None:
        await body.partial.discard()
    await _accepted(fill, None)
    body.release()


async def _accepted(fill: Fill, entry: Entry | None) -> None:
    """Raises OriginError where nobody may have it. Also of what was purged: its readers go on."""
    fill.accepting = fill.held or not fill.asked.plan.proven
    try:
        if fill.accepting:
            await fill.fills.accept(fill.asked, entry)
    finally:
        fill.accepting = False


async def _enter(fill: Fill, entry: Entry) -> Entry:
    outside = fill.fills.outside
    older = await outside.index.get(fill.key)
    replaced = older if entry.key == fill.key else await outside.index.get(entry.key)
    if older is not None:
        entry = same_validators(entry, older, ours=fill.asked.plan.rule.package)
    await outside.index.put(entry)
    if older is not None and older.key != entry.key:  # it did not vary, and does now
        await outside.index.delete(older.key)
    for blob in {known.blob for known in (older, replaced) if known is not None} - {entry.blob}:
        await _release(fill, entry.key, blob)
    if fill.published:
        await fill.fills.stored(fill.asked, entry)
        return entry
    # 1. This looks the index up. 2. A purge goes through it. 3. This puts the entry.
    if await outside.index.get(entry.key) == entry:
        await outside.index.delete(entry.key)
    await outside.store.delete(entry.blob)
    return entry


async def _release(fill: Fill, key: str, blob: str) -> None:
    """Delete a blob that was replaced, unless another variant of the address is the same bytes."""
    outside = fill.fills.outside
    if not fill.asked.plan.rule.package:
        for other in await outside.index.under(variants.address(key)):
            if other.blob == blob:
                return
    await outside.store.delete(blob)
