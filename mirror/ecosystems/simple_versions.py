"""The versions that a page lists (PEP 700), and those that the names of its files say (PEP 427, 625, 440)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mirror.ecosystems.simple_links import normalized

_ARCHIVE = re.compile(r"\.(?:tar\.(?:gz|bz2|xz|Z|lzma)|tgz|tbz|tbz2|txz|zip)")
_BUILT = re.compile(r"(.+?)(?:-py\d[\d.]*)?(?:[.-](?:win|linux|macosx)[\w.-]*)?\.(?:egg|exe|msi)")
_LONGEST = 255  # no file system has longer names, and matching them takes the square of their length
_DASH = re.compile("-")
# PEP 440, appendix B, spelled for what is in lower case already.
_VERSION = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<pre>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?P<pre_n>\d*))?"
    r"(?P<post>-(?P<post_i>\d+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_n>\d*))?"
    r"(?P<dev>[-_.]?dev[-_.]?(?P<dev_n>\d*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.ASCII,
)
_PHASES = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}


def covering(versions: Iterable[object], files: Iterable[object], project: str) -> list[object]:
    """`versions`, and behind them those that files of these names have and the list lacks, in any spelling."""
    found = list(versions)
    known = {canonical(version) for version in found if isinstance(version, str)}
    for file in files:
        version = version_of(file, project) if isinstance(file, str) else None
        if version and canonical(version) not in known:
            known.add(canonical(version))
            found.append(version)
    return found


def version_of(file: str, project: str) -> str | None:
    """The version that the name of a project's file says, or None where it says none."""
    if len(file) > _LONGEST:
        return None
    if file.endswith(".whl"):
        parts = file[: -len(".whl")].split("-")
        return parts[1].replace("_", "-") if len(parts) in (5, 6) else None
    archive = next((match for match in _ARCHIVE.finditer(file) if match.end() == len(file)), None)
    built = _BUILT.fullmatch(file)
    stem = file[: archive.start()] if archive else built[1] if built else ""
    wanted = normalized(project)
    dashes = (dash.start() for dash in _DASH.finditer(stem))
    return next((stem[dash + 1 :] or None for dash in dashes if normalized(stem[:dash]) == wanted), None)


def canonical(version: str) -> str:
    """One spelling for all of a version that PEP 440 holds for equal; what is no such version stays as it is."""
    match = _VERSION.fullmatch(version.strip().lower())
    if match is None:
        return version
    release = [int(part[:64]) for part in match["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    pre = f"{_PHASES.get(match['pre'], match['pre'])}{_number(match['pre_n'])}" if match["pre"] else ""
    post = f".post{_number(match['post_i'] or match['post_n'])}" if match["post"] else ""
    dev = f".dev{_number(match['dev_n'])}" if match["dev"] else ""
    local = f"+{normalized(match['local']).replace('-', '.')}" if match["local"] else ""
    return f"{_number(match['epoch'])}!{'.'.join(map(str, release))}{pre}{post}{dev}{local}"


def _number(digits: str | None) -> int:
    return int((digits or "0")[:64])
