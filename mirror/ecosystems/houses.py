"""Packages of the house: who may be asked for them, and where what comes of that is kept. Pure.

A public package may have the same name and the same address, so nothing of the two is kept in one place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

from mirror.ecosystems.bodies import decoded
from mirror.errors import OriginError, RequestError, Withheld
from mirror.model import Headers, Lookup, Mirror, Plan
from mirror.policy import reasons
from mirror.policy.artifact import Artifact

_WORDS = re.compile(r"[\s\"',:;()&=]+")


def asked(mirror: Mirror, package: str) -> Mirror:
    """The mirror with the upstreams that may hear of a package. Withheld where none may."""
    if not package or not mirror.gate or not mirror.gate.private(package):
        return mirror
    if not mirror.private_upstreams:
        raise Withheld(reasons.private(Artifact(mirror.ecosystem, package)), rule="private")
    return replace(mirror, upstreams=mirror.private_upstreams)


def candidates(mirror: Mirror, packages: tuple[str, ...]) -> tuple[str, ...]:
    """Of the packages, the likeliest first, whose something may be: those that are asked in the same place as that."""
    if not mirror.gate or len(packages) == 1:
        return packages
    private = mirror.gate.private(packages[0])
    return tuple(package for package in packages if mirror.gate.private(package) == private)


def named_in(mirror: Mirror, query: str) -> str:
    """The first word of a raw query that is a package of the house; "" where there is none."""
    if not mirror.gate:
        return ""
    return next((word for word in _WORDS.split(unquote_plus(query)) if word and mirror.gate.private(word)), "")


def kept(plan: Plan) -> Plan:
    """The plan for what an upstream of the house has: what public ones have is kept elsewhere, and not looked at."""
    rewrite, subject, inside = plan.rewrite, plan.subject, plan.inside
    return replace(
        plan,
        key=_key(plan.key),
        slot=_slot(plan.slot),
        lookup=plan.lookup and _lookup(plan.lookup),
        rewrite=rewrite and replace(rewrite, slots=tuple(map(_slot, rewrite.slots))),
        subject=subject and replace(subject, lookup=_lookup(subject.lookup)),
        inside=inside and replace(inside, key=_key(inside.key)),
        private=True,
    )


def _key(key: str) -> str:
    return f"{key}-private" if " " in key else f"{key} private"


def _slot(slot: str) -> str:
    return f"private {slot}" if slot else ""


def _lookup(lookup: Lookup) -> Lookup:
    return replace(lookup, slots=tuple(map(_slot, lookup.slots)))


def told(private: Callable[[str], bool], body: bytes, headers: Headers) -> bytes:
    """What is posted to be audited, less all that names a package of the house; RequestError where it is no JSON."""
    try:
        tree = json.loads(decoded(body, headers))
        return json.dumps(_public(tree, private), separators=(",", ":")).encode()
    except (OriginError, ValueError, RecursionError) as exc:
        raise RequestError("what is to be audited is not JSON that can be read") from exc


def _public(tree: Any, private: Callable[[str], bool]) -> Any:
    if isinstance(tree, dict):
        return {
            name: _public(value, private)
            for name, value in tree.items()
            if not _names((name,), private) and not (name in ("name", "resolved", "from") and _names((value,), private))
        }
    if isinstance(tree, list):
        return [_public(each, private) for each in tree if not _names((each,), private)]
    return tree


def _names(texts: Iterable[object], private: Callable[[str], bool]) -> bool:
    """Whether one of them is, or leads to, a package of the house: `x`, `x@1.0.0`, `node_modules/@acme/x`, a URL."""
    return any(isinstance(text, str) and any(map(private, _meant(text))) for text in texts)


def _meant(text: str) -> Iterable[str]:
    for part in {text, text.rpartition("node_modules/")[2]}:
        yield part
        name, at, _ = part[1:].partition("@")
        if at:
            yield part[:1] + name
    if "://" in text:
        *_, scope, name = ("", *text.partition("/-/")[0].replace("%2f", "/").replace("%2F", "/").split("/"))
        yield from (name, f"{scope}/{name}")
