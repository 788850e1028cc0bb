"""A rule as it stands for one package: taken apart once, and asked for every version and file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from mirror.policy.artifact import Artifact
from mirror.policy.names import Selector, glob, licenses
from mirror.policy.rules import Exemption, Rule
from mirror.policy.versions import SCHEMES, Key, Range

Test = Callable[[str], bool]
Pin = tuple[str, Key | None]  # a version as it is written ("": not at all), and as it compares


@dataclass(frozen=True, slots=True)
class Terms:
    """What has to fit, of a package that fits already.

    `pins` are versions that package URLs name, None where one of them names none. `named` are those that the rule calls
    by their own name and their package's, no glob and no range. `until` is an exemption's end.
    """

    pins: tuple[Pin, ...] | None
    ranges: tuple[Range, ...]
    files: tuple[Test, ...]
    licenses: tuple[Test, ...]
    named: tuple[Pin, ...]
    reason: str
    owner: str = ""
    until: float = inf

    @property
    def versioned(self) -> bool:
        """Whether the version counts."""
        return bool(self.pins is not None or self.ranges)

    def hold(self, artifact: Artifact, key: Key | None, *, wide: bool) -> bool:
        """Whether the rule means the artifact. `wide`: in case of doubt it does, as a deny wants it: pre-releases count
        as part of a range, and one of several licenses is enough."""
        return (
            (self.pins is None or _pinned(self.pins, artifact.version, key))
            and (not self.ranges or (key is not None and any(each.holds(key, wide=wide) for each in self.ranges)))
            and (not self.files or (artifact.file != "" and any(test(artifact.file) for test in self.files)))
            and (not self.licenses or _licensed(self.licenses, artifact.license, wide=wide))
        )

    def name(self, artifact: Artifact, key: Key | None) -> bool:
        """Whether the rule calls that version of that package by name."""
        return _pinned(self.named, artifact.version, key)


def _pinned(pins: tuple[Pin, ...], version: str, key: Key | None) -> bool:
    return any((written and version == written) or (key is not None and key == known) for written, known in pins)


def _licensed(tests: tuple[Test, ...], stated: str, *, wide: bool) -> bool:
    """The whole text fits, or of the licenses in it one (`wide`) or all."""
    if any(test(stated) for test in tests):
        return True
    found = [any(test(each) for test in tests) for each in licenses(stated)]
    return bool(found) and (any(found) if wide else all(found))


def terms(rule: Rule, ecosystem: str, package: str) -> Terms | None:
    """What the rule asks of a package's artifacts; None where it does not mean that package (a canonical name)."""
    if rule.ecosystem not in ("", ecosystem):
        return None
    meant = [each for each in rule.packages if each.of(ecosystem) and each.test(ecosystem)(package)]
    if not meant:
        return None
    scheme = SCHEMES[ecosystem]
    ranges = tuple(scheme.range(text) for text in rule.versions)
    pins = tuple((each.version, scheme.key(each.version)) for each in meant if each.version)
    return Terms(
        pins if len(pins) == len(meant) else None,
        ranges,
        tuple(glob(pattern, ignore_case=True) for pattern in rule.files),
        tuple(glob(pattern, ignore_case=True) for pattern in rule.licenses),
        _named(meant, ranges, pins),
        rule.reason,
    )


def _named(meant: list[Selector], ranges: tuple[Range, ...], pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
    if not any(each.exact for each in meant):
        return ()
    return (*pins, *(("", each.exact) for each in ranges if each.exact is not None))


def exempted(exemption: Exemption, ecosystem: str, package: str) -> Terms | None:
    """The same for an exemption."""
    known = terms(exemption.rule, ecosystem, package)
    if known is None:
        return None
    parts = (known.pins, known.ranges, known.files, known.licenses, known.named, known.reason)
    return Terms(*parts, exemption.owner, exemption.until)
