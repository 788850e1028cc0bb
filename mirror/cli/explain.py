"""`mirror explain`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.text import Text

from mirror.cli import options, shown
from mirror.cli.codes import DONE
from mirror.cli.stats import upstream
from mirror.policy.reasons import moment

Told = dict[str, Any]

_WOULD = {
    "hit": "would be answered from the store",
    "stale hit": "would be answered from the store, though stale, and renewed behind the scenes",
    "revalidate": "would wait for the upstream to confirm or replace what is stored",
    "miss": "would be fetched from the upstream, streamed, and stored",
    "pass": "would go past the store to the upstream",
    "redirect": "would be sent to the canonical name",
    "local": "would be answered by this server itself",
    "error": "would fail",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("url", metavar="URL", help="as clients ask it, or as an upstream has it")
    options.server(parser)


def run(chosen: argparse.Namespace) -> int:
    """Say how a request would be answered now, and why."""
    with options.client(chosen) as client:
        told = client.get("/-/api/explain", url=chosen.url)
    if chosen.json:
        shown.document(told)
    else:
        shown.console().print(Group(*(_text(line) for line in story(told))))
    return DONE


def _text(line: str) -> Text:
    head, colon, rest = shown.clean(line).partition(":  ")
    return Text.assemble((head, "bold"), "  ", rest) if colon else Text(head)


def story(told: Told) -> Iterator[str]:
    """What would happen, why, what is stored, and who would be asked: a paragraph for each, `Head:  text`."""
    yield f"{told['url']}"
    yield f"A request now:  {_WOULD.get(told['decision'], told['decision'])}"
    yield f"Why:  {told['reason']}"
    if told.get("error"):
        yield f"But:  {told['error']}"
    if told.get("policy"):
        yield f"Policy:  {_policy(told['policy'])}"
    if told.get("redirect"):
        yield f"Redirected to:  {told['redirect']}"
    yield f"What it is:  {_article(told['class'])} on the mirror /{told['mirror']}/ ({told['ecosystem']})"
    if told.get("key") and told["key"] != told["url"]:
        yield f"Its key:  {told['key']}"
    yield from _stored(told)
    if rule := told.get("rule"):
        yield f"By the rule:  {_rule(rule)}"
    if told.get("digest"):
        yield f"Verified by:  {told['digest']}"
    if fill := told.get("fill"):
        there = f"{shown.size(fill['there'])} of {shown.size(fill['total'])}"
        yield f"Being downloaded:  {there} there, for {shown.count(fill['readers'], 'reader')}"
    yield from _upstreams(told)


def _policy(told: dict[str, Any]) -> str:
    if told["allowed"]:
        said = "it gets through"
    else:
        said = "it is refused" if told["enforced"] else "it would be refused (mode audit)"
    dated = {"origin": "dated by its upstream", "first seen": "dated by when this mirror first saw it"}
    parts = [f"{said} (rule {told['rule']})", told["reason"], dated.get(told["dated"], "")]
    if told["until"] is not None:
        parts.append(f"until {moment(told['until'])}")
    return "; ".join(filter(None, parts))


def _article(noun: str) -> str:
    if not noun:
        return "nothing that could be stored"
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _stored(told: Told) -> Iterator[str]:
    entry, freshness = told.get("entry"), told.get("freshness")
    if not entry and told["decision"] in ("redirect", "local"):
        return
    if not entry:
        yield "Stored:  nothing"
        return
    yield (
        f"Stored:  {shown.size(entry['size'])} of {entry['type'] or 'no type'}, status {entry['status']}, "
        f"{shown.span(entry['age'])} old, {entry['state']}"
    )
    if not entry.get("blob_present", True):
        yield "Its bytes:  are gone"
    if freshness:
        yield f"Its freshness:  {freshness['arithmetic']}"
    if entry.get("tags"):
        yield f"Tags:  {', '.join(entry['tags'])}"
    if headers := entry.get("headers"):
        pairs = headers.items() if isinstance(headers, dict) else headers
        yield f"Header fields:  {'; '.join(f'{name}: {value}' for name, value in pairs)}"


def _rule(rule: dict[str, Any]) -> str:
    if not rule.get("store", True):
        return "never stored"
    if rule.get("immutable"):
        return "never changes"
    parts = ["as fresh as the upstream says" if rule["ttl"] is None else f"fresh for {shown.span(rule['ttl'])}"]
    if rule["grace"]:
        parts.append(f"then still used for {shown.span(rule['grace'])}")
    kept = "for ever" if rule["keep"] is None else f"for {shown.span(rule['keep'])}"
    if rule["keep"] != 0:
        parts.append(f"used {kept} when upstreams fail")
    if rule["negative_ttl"]:
        parts.append(f"what is not there is remembered for {shown.span(rule['negative_ttl'])}")
    return ", ".join(parts)


def _upstreams(told: Told) -> Iterator[str]:
    for url in told.get("learns") or ():
        yield f"Would read first:  {url}"
    first = "Comes from" if told["decision"] == "hit" else "Would ask"
    for number, url in enumerate(told.get("upstreams") or ()):
        yield f"{'Else' if number else first}:  {url}"
    for one in told.get("upstream_states") or ():
        if one["state"] != "up":
            yield f"But:  {upstream(one)}"
