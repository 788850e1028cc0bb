"""[policy] and [mirrors.NAME.policy] of config.toml, as rules that can be carried out.

`wrong` of a reading takes what is wrong, and where.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mirror import values
from mirror.document import Table
from mirror.errors import ConfigError
from mirror.policy.names import ECOSYSTEMS, Selector, selector
from mirror.policy.rules import Age, Exemption, Policy, Rule
from mirror.policy.versions import SCHEMES
from mirror.settings import PolicySettings

TABLES = ("ages", "deny", "allow", "exempt")
"""Keys that are tables of their own."""

_OFTEN = 60.0

Readers = dict[str, Callable[[object], Any]]
_Read = TypeVar("_Read")


class Reading(Protocol):
    """What reads a configuration, and gathers what is wrong with it."""

    def wrong(self, table: Table, key: str, text: str) -> None: ...

    def table(self, where: Table, tree: object, readers: Readers) -> dict[str, Any]: ...


def readers(folder: Path) -> Readers:
    """Of [policy], less its tables."""
    return own_readers() | {"advisories": lambda value: _sources(value, folder), "advisories_every": _often}


def own_readers() -> Readers:
    """Of [mirrors.NAME.policy], less its tables."""
    return {
        "mode": lambda value: values.choice(value, "enforce", "audit", "off"),
        "min_age": values.duration,
        "unknown": lambda value: values.choice(value, "hold", "pass"),
        "dates": lambda value: values.choice(value, "origin", "first-seen"),
        "private": _private,
    }


def rule_readers() -> Readers:
    """Of [[policy.deny]] and [[policy.allow]]; a mirror's own have no `ecosystem`."""
    lists = dict.fromkeys(("packages", "versions", "files", "licenses"), _texts)
    return {**lists, "ecosystem": lambda value: values.choice(value, *ECOSYSTEMS), "reason": values.text}


def exemption_readers() -> Readers:
    """Of [[policy.exempt]]."""
    return {**rule_readers(), "owner": _said, "reason": _said, "until": _end}


def rules(reading: Reading, where: Table, tree: object, ecosystem: str = "") -> dict[str, Any]:
    """What the tables of a policy say; `ecosystem` is the mirror's whose own it is, "" in [policy]."""
    if not isinstance(tree, dict):
        return {}
    found: dict[str, Any] = {}
    if "ages" in tree:
        found["ages"] = _ages(reading, (*where, "ages"), tree["ages"], ecosystem)
    for name, read in (("deny", _rule), ("allow", _rule), ("exempt", _exemption)):
        if name in tree:
            found[name] = _each(reading, (*where, name), tree[name], ecosystem, read)
    return found


def own(reading: Reading, where: Table, tree: object, ecosystem: str) -> dict[str, Any]:
    """What a mirror's own policy says."""
    if ecosystem not in ECOSYSTEMS:
        reading.wrong(where, "", f"only {', '.join(ECOSYSTEMS)} mirrors have a policy")
        return {}
    plain = {key: value for key, value in tree.items() if key not in TABLES} if isinstance(tree, dict) else tree
    return reading.table(where, plain, own_readers()) | rules(reading, where, tree, ecosystem)


def merged(reading: Reading, where: Table, shared: PolicySettings, own: dict[str, Any], ecosystem: str) -> Policy:
    """What counts for a mirror: its own settings before those of all, its own rules besides theirs.

    An archive states no dates: the minimum ages of all mirrors do not count for apt, only those of the mirror itself.
    """
    ages = [Age(each.packages, each.seconds, own=True) for each in own.get("ages", ())]
    dates, least = own.get("dates", shared.dates), own.get("min_age", shared.min_age)
    if ecosystem == "apt":
        least = own.get("min_age", 0.0)
        if dates != "first-seen" and (least > 0 or any(age.seconds > 0 for age in ages)):
            text = 'an archive states no dates of its packages: a minimum age needs dates = "first-seen"'
            reading.wrong(where, "min_age" if least > 0 else "ages", text)
    else:
        ages += shared.ages
    return Policy(
        ecosystem,
        own.get("mode", shared.mode),
        least,
        own.get("unknown", shared.unknown),
        dates,
        tuple(each for each in (*own.get("private", ()), *shared.private) if each.of(ecosystem)),
        tuple(each for each in ages if each.packages.of(ecosystem)),
        tuple(each for each in (*own.get("deny", ()), *shared.deny) if each.of(ecosystem)),
        tuple(each for each in (*own.get("allow", ()), *shared.allow) if each.of(ecosystem)),
        tuple(each for each in (*own.get("exempt", ()), *shared.exempt) if each.rule.of(ecosystem)),
        bool(shared.advisories),
    )


def _each(
    reading: Reading,
    where: Table,
    tree: object,
    ecosystem: str,
    read: Callable[[Reading, Table, dict[str, Any], str], _Read | None],
) -> tuple[_Read, ...]:
    if not isinstance(tree, list) or not all(isinstance(each, dict) for each in tree):
        reading.wrong(where[:-1], where[-1], f"not tables (write [[{'.'.join(where)}]])")
        return ()
    found = (read(reading, (*where, f"#{number}"), each, ecosystem) for number, each in enumerate(tree, 1))
    return tuple(each for each in found if each is not None)


def _rule(reading: Reading, where: Table, tree: dict[str, Any], ecosystem: str) -> Rule | None:
    known = rule_readers()
    if not tree.keys() & {"packages", "versions", "files", "licenses"}:
        reading.wrong(where, "packages", 'missing (["*"] are all)')
        return None
    return _made(reading, where, reading.table(where, tree, _of(known, ecosystem)), ecosystem)


def _exemption(reading: Reading, where: Table, tree: dict[str, Any], ecosystem: str) -> Exemption | None:
    good = reading.table(where, tree, _of(exemption_readers(), ecosystem))
    for key, text in _NEEDED.items():
        if key not in tree:
            reading.wrong(where, key, f"missing ({text})")
    owner, until = good.pop("owner", ""), good.pop("until", 0.0)
    made = _made(reading, where, good, ecosystem)
    return None if made is None else Exemption(made, owner, until)


_NEEDED = {
    "packages": "which are exempt",
    "owner": "who answers for it",
    "reason": "why",
    "until": "a date, 2026-12-31, or a time: an exemption ends",
}


def _of(known: Readers, ecosystem: str) -> Readers:
    return {key: read for key, read in known.items() if key != "ecosystem" or not ecosystem}


def _made(reading: Reading, where: Table, good: dict[str, Any], ecosystem: str) -> Rule | None:
    ecosystem = ecosystem or good.get("ecosystem", "")
    packages = _tried(reading, where, "packages", good.get("packages", ["*"]), lambda text: selector(text, ecosystem))
    if any(re.search(r"[\^~<>=*|\s]", each.version.lstrip("v")[:1]) for each in packages):
        reading.wrong(where, "packages", "a package URL names one version (ranges stand in `versions`)")
    kinds = {each.ecosystem for each in packages}
    whose = ecosystem or (kinds.pop() if len(kinds) == 1 else "")
    versions = good.get("versions", [])
    if versions and not whose:
        text = 'whose? (write ecosystem = "pypi", or packages as pkg:pypi/NAME)'
        reading.wrong(where, "versions", text)
        return None
    _tried(reading, where, "versions", versions, lambda text: SCHEMES[whose].range(text))
    files, licenses = tuple(good.get("files", ())), tuple(good.get("licenses", ()))
    return Rule(tuple(packages), tuple(versions), files, licenses, ecosystem, good.get("reason", ""))


def _tried(reading: Reading, where: Table, key: str, texts: list[str], read: Callable[[str], _Read]) -> list[_Read]:
    found = []
    for text in texts:
        try:
            found.append(read(text))
        except ConfigError as error:
            reading.wrong(where, key, str(error))
    return found


def _ages(reading: Reading, where: Table, tree: object, ecosystem: str) -> tuple[Age, ...]:
    if not isinstance(tree, dict):
        reading.wrong(where[:-1], where[-1], f"not a table (write [{'.'.join(where)}])")
        return ()
    found = []
    for name, value in tree.items():
        try:
            found.append(Age(_unversioned(selector(name, ecosystem)), values.duration(value)))
        except ConfigError as error:
            reading.wrong(where, name, str(error))
    return tuple(found)


def _unversioned(found: Selector) -> Selector:
    if found.version:
        raise ConfigError(["this is about packages, not versions"])
    return found


def _private(value: object) -> tuple[Selector, ...]:
    return tuple(_unversioned(selector(text)) for text in _texts(value, several=False))


def _texts(value: object, *, several: bool = True) -> list[str]:
    """A list of texts, or one; an empty one would mean anything to some and nothing to others."""
    found: list[Any] = value if isinstance(value, list) else [value]
    if (several and not found) or not all(isinstance(each, str) and each.strip() for each in found):
        raise ConfigError([f"{values.shown(value)} is not a list of texts in quotes"])
    return found


def _said(value: object) -> str:
    if not values.text(value).strip():
        raise ConfigError(["empty"])
    return values.text(value)


def _end(value: object) -> float:
    """The instant (seconds since the epoch) at which a day is over, or that a time names; both in UTC by default."""
    try:
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, date):
            return (datetime(value.year, value.month, value.day, tzinfo=UTC) + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError) as exc:
        raise ConfigError([f"{values.shown(value)} is later than any calendar goes"]) from exc
    raise ConfigError([f"{values.shown(value)} is not a date (write 2026-12-31, without quotes)"])


def _sources(value: object, folder: Path) -> tuple[Path | str, ...]:
    """Files and folders that are there, and URLs."""
    texts = _texts(value, several=False)
    found = tuple(values.url(text) if "://" in text else values.place(text, folder) for text in texts)
    if missing := next((each for each in found if isinstance(each, Path) and not each.exists()), None):
        raise ConfigError([f'"{missing}": no such file or folder'])
    return found


def _often(value: object) -> float:
    if (seconds := values.duration(value)) < _OFTEN:
        raise ConfigError([f"{values.shown(value)} is more often than once a minute"])
    return seconds
