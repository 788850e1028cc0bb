"""The sentences that say why something gets through or not: for a client's screen, the log and the page."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite

from mirror.policy.artifact import Artifact

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_LONGEST = 120  # characters of a name; names come from whoever asks


def shown(text: str) -> str:
    """A name on one line, without what a terminal takes for a command."""
    if len(text) <= _LONGEST and text.isprintable():
        return text
    clean = "".join(char if char.isprintable() else "?" for char in text[: _LONGEST + 1])
    return clean if len(clean) <= _LONGEST else f"{clean[:_LONGEST]}..."


def called(artifact: Artifact) -> str:
    """`six 1.17.0`; without a version the file's name, or the package's alone."""
    if artifact.version:
        return f"{shown(artifact.package)} {shown(artifact.version)}"
    return shown(artifact.file or artifact.package)


def lasting(seconds: float) -> str:
    """`7 days`, `5 hours`: in the largest unit of which there are two or, of days, one; rounded down."""
    if seconds >= 2 * 86400:
        return f"{int(seconds // 86400)} days"
    for size, unit in _UNITS:
        count = int(seconds // size)
        if count >= 2 or (count == 1 and (size == 86400 or seconds == size)):
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{max(0, int(seconds))} seconds"


def moment(at: float) -> str:
    """`2026-12-03 10:00 UTC`, rounded up to the minute, so that it is true then."""
    try:
        found = datetime.fromtimestamp(-(-at // 60) * 60, UTC)
    except (ValueError, OverflowError, OSError):
        return "a time that no calendar has"
    return f"{found.isoformat(' ', 'minutes')[:16]} UTC"


def malicious(artifact: Artifact, advisory: str) -> str:
    return f"{called(artifact)} is known to be malicious: {shown(advisory)} (policy 'malicious')"


def private(artifact: Artifact) -> str:
    return f"{shown(artifact.package)} is a name of this house: a public package does not get it (policy 'private')"


def denied(artifact: Artifact, why: str) -> str:
    return f"{called(artifact)} is denied{_because(why)} (policy 'deny')"


def not_allowed(artifact: Artifact) -> str:
    return f"{called(artifact)} is not on the list of what is allowed (policy 'allow')"


def exempt(artifact: Artifact, why: str, owner: str, until: float) -> str:
    end = f" until {moment(until)}" if isfinite(until) else ""
    return f"{called(artifact)} is exempt{end}{_because(why)} ({shown(owner)})"


def fix(artifact: Artifact, advisory: str) -> str:
    return f"{called(artifact)} fixes {shown(advisory)}: no minimum age (policy 'fix')"


def unknown(artifact: Artifact, least: str) -> str:
    text = f"when {called(artifact)} was published is not known; minimum age {least}"
    return f"{text} (policy 'unknown')"


def young(artifact: Artifact, age: float, least: str, until: float) -> str:
    """`six 1.17.0 is 2 days old; minimum age 7 days (policy 'cooldown'), reached 2026-12-03 10:00 UTC`."""
    text = f"{called(artifact)} is {lasting(max(0.0, age))} old; minimum age {least}"
    return f"{text} (policy 'cooldown'), reached {moment(until)}"


def after(artifact: Artifact, at: float, when: str, *, seen: bool) -> str:
    """`six 1.17.0 was published 2026-11-26 10:00 UTC, and this is the index as of 2026-11-01 (policy 'frozen')`."""
    what = "first seen" if seen else "published"
    return f"{called(artifact)} was {what} {moment(at)}, and this is the index as of {when} (policy 'frozen')"


def undated(artifact: Artifact, when: str) -> str:
    text = f"when {called(artifact)} was published is not known, and this is the index as of {when}"
    return f"{text} (policy 'unknown')"


def _because(why: str) -> str:
    return f": {why}" if why else ""
