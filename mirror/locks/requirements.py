"""requirements.txt, as pip reads it (https://pip.pypa.io/en/stable/reference/requirements-file-format/). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement

from mirror.locks.wanted import Lock, Wanted

_COMMENT = re.compile(
    r"(?:^|(?<=\s))#.*$"
)  # less the blanks before it: looking for those takes the square of their number
_HASH = re.compile(r"\s--hash[= ]\s*(\w+):([0-9A-Fa-f]+)")
_OPTION = re.compile(r"\s--?[a-zA-Z].*$")  # what may stand behind a requirement besides hashes
_INCLUDE = re.compile(r"(?:-r|--requirement)[\s=]*(.+)")
_EDITABLE = re.compile(r"(?:-e|--editable)[\s=]*(.+)")
_REMOTE = re.compile(r"https?://", re.IGNORECASE)


def read(text: str) -> Lock:
    """Each requirement with its specifier, hashes and marker; files that are included by name."""
    lock = Lock()
    for line in _logical(text):
        if found := _INCLUDE.match(line):
            name = found[1].strip().strip("\"'")
            lock.skip(name, "included from elsewhere") if _REMOTE.match(name) else lock.includes.append(name)
        elif found := _EDITABLE.match(line):
            lock.skip(found[1], "editable: it is not downloaded from an index")
        elif not line.startswith("-"):
            _requirement(lock, line)
    return lock


def _logical(text: str) -> Iterator[str]:
    """Lines without comments and blanks around them, those that end with a backslash joined."""
    held = ""
    for line in text.removeprefix("\ufeff").splitlines():
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            held += line[:-1]
            continue
        whole, held = _COMMENT.sub("", held + line).strip(), ""
        if whole:
            yield whole
    if held.strip():
        yield _COMMENT.sub("", held).strip()


def _requirement(lock: Lock, line: str) -> None:
    hashes = frozenset(f"{kind.lower()}:{digest.lower()}" for kind, digest in _HASH.findall(line))
    plain = _OPTION.sub("", line).strip()
    if _REMOTE.match(plain):
        lock.wanted.append(Wanted("", plain, url=plain.partition("#")[0]))
        return
    try:
        wanted = Requirement(plain)
    except InvalidRequirement:
        lock.skip(plain, "a variable in it" if "${" in plain else "no requirement of an index")
        return
    if not wanted.url:
        marker = str(wanted.marker or "")
        lock.wanted.append(Wanted("pypi", wanted.name, str(wanted.specifier), hashes=hashes, marker=marker))
    elif _REMOTE.match(wanted.url):
        lock.wanted.append(Wanted("", wanted.name, url=wanted.url.partition("#")[0], marker=str(wanted.marker or "")))
    else:
        lock.skip(wanted.name, f"from {wanted.url.partition(':')[0]}, not from an index")
