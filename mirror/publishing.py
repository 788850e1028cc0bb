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

log = logging.getLogger("mirror.fill")


async def publish(fill: Fill, body: Body) -> Entry | None:
    """Verified, stored, in the index: then, and not before, the last bytes may go. The entry, if there is one."""
    outside, partial = fill.fills.outside, body.partial
    if partial is None or body.refused or body.total is None:
        await _unstored(fill, body)
        return None
    if not fill.asked.plan.rule.package:
        found = vary.key(fill.key, partial.note.head, fill.asked.request)
        partial.note = replace(partial.note, key=found or fill.key)
    try:
        entry = await partial.commit(body.total, body.digest)
    except StoreError as exc:
        log.warning("%s: it is not stored: %s", fill.key, exc)
        await _unstored(fill, body)
        return None
    try:
        await _accepted(fill, entry)
    except BaseException:
        await outside.store.delete(entry.blob)
        raise
    if not fill.published:
        await outside.store.delete(entry.blob)
    else:
        entry = await _enter(fill, entry)
    body.release()
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
        entry = same_validators(entry, older)
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
        async for other in variants.stored(outside.index, variants.address(key)):
            if other.blob == blob:
                return
    await outside.store.delete(blob)
