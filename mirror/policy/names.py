"""Which packages a line of the configuration means: names, globs and package URLs, as each ecosystem compares names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import translate

from mirror.errors import ConfigError

TYPES = {"pypi": "pypi", "npm": "npm", "deb": "apt"}
"""Types of package URLs, and the ecosystem that each is of."""
ECOSYSTEMS = tuple(TYPES.values())
"""Those that have packages."""

_LONGEST = 512
_NAME = re.compile(r"[\w.+*?~-]+|@[\w.*?~-]+/[\w.*?~-]+", re.ASCII)
_SPDX = re.compile(r"[\s()]+|\b(?:AND|OR|WITH)\b")


@dataclass(frozen=True, slots=True)
class Selector:
    """A package, or a glob of them: `pattern`, of one ecosystem, or of any (""); one `version`, or any ("")."""

    pattern: str
    ecosystem: str = ""
    version: str = ""

    @property
    def exact(self) -> bool:
        """Whether it names one package."""
        return not _is_glob(self.pattern)

    def of(self, ecosystem: str) -> bool:
        """Whether packages of that ecosystem may be meant."""
        return self.ecosystem in ("", ecosystem)

    def test(self, ecosystem: str) -> Callable[[str], bool]:
        """What tells whether a canonical name of that ecosystem is meant."""
        return glob(canonical(ecosystem, self.pattern))


def selector(text: str, ecosystem: str = "") -> Selector:
    """What a person writes: `six`, `django*`, `@acme/*` or `pkg:npm/%40acme/x@1.0.0`. Raises ConfigError.

    `ecosystem` is the one that the line is about, where something else says so.
    """
    if text[:4].lower() == "pkg:":
        found = _purl(text)
    elif len(text) > _LONGEST or not _NAME.fullmatch(text):
        raise ConfigError([f'"{text[:80]}" is not a name (write six, django*, @acme/* or pkg:pypi/six)'])
    else:
        found = Selector(text, "npm" if text.startswith("@") else ecosystem)
    if ecosystem and found.ecosystem != ecosystem:
        raise ConfigError([f'"{text[:80]}" is no {ecosystem} package'])
    return found


def _purl(text: str) -> Selector:
    from packageurl import PackageURL  # as slow to import as it is seldom needed

    try:
        known = PackageURL.from_string(f"pkg:{text[4:_LONGEST]}")
    except ValueError as exc:
        raise ConfigError([f'"{text[:80]}" is not a package URL (write pkg:pypi/six or pkg:npm/%40acme/x)']) from exc
    if known.type not in TYPES:
        raise ConfigError([f'"{text[:80]}": no mirror has packages of this type; {", ".join(TYPES)} are known'])
    if known.qualifiers or known.subpath:
        raise ConfigError([f'"{text[:80]}": qualifiers and subpaths say nothing here'])
    scope = f"{known.namespace}/" if known.type == "npm" and known.namespace else ""
    if not _NAME.fullmatch(scope + known.name):
        raise ConfigError([f'"{text[:80]}": no package can have this name'])
    return Selector(scope + known.name, TYPES[known.type], known.version or "")


def canonical(ecosystem: str, name: str) -> str:
    """The one spelling of a package's name, or of a glob of names (PEP 503; Debian policy §5.6.7; npm's as it is)."""
    if ecosystem == "pypi":
        return re.sub(r"[-_.]+", "-", name).lower()
    return name.lower() if ecosystem == "apt" else name


def glob(pattern: str, *, ignore_case: bool = False) -> Callable[[str], bool]:
    """What tells whether a text is what `pattern` means as a whole: `*` is any run of characters, `?` one of them."""
    if not _is_glob(pattern) and not ignore_case:
        return pattern.__eq__
    # What translate() makes of several stars does not take the square of a name's length.
    match = re.compile(translate(pattern.replace("[", "[[]")), re.IGNORECASE if ignore_case else 0).match
    return lambda text: match(text) is not None


def _is_glob(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def licenses(stated: str) -> list[str]:
    """The licenses of an expression (SPDX annex D), without its operators."""
    return [part for part in _SPDX.split(stated) if part]
