"""All that is stored under one address: one answer, or several that `Vary` keeps apart (RFC 9111 §4.1)."""

from __future__ import annotations

import logging

from mirror.errors import StoreError
from mirror.httpcache import vary
from mirror.model import Entry, Plan, Request
from mirror.ports import Index

__all__ = ["address", "find"]

log = logging.getLogger("mirror.engine")


def address(key: str) -> str:
    """What clients ask for to get what is stored under this key: the key less its variant."""
    return key.partition(" ")[0]


async def find(index: Index, plan: Plan, request: Request) -> tuple[Entry | None, tuple[Entry, ...]]:
    """What is stored for this request; without that, what is stored for others to the same address.

    The newest of several; an index that cannot be read has nothing.
    """
    if plan.rule.package:
        return await index.get(plan.key), ()
    chosen, others = None, []
    try:
        for entry in await index.under(address(plan.key)):
            if entry.key != vary.key(plan.key, entry.head, request):
                others.append(entry)
            elif chosen is None or entry.head.received_at > chosen.head.received_at:
                chosen = entry
            if chosen is not None and chosen.key == plan.key:  # it is for all
                break
    except StoreError as exc:
        log.warning("%s: what is stored cannot be looked up: %s", plan.key, exc)
    return (None, tuple(others)) if chosen is None else (chosen, ())
