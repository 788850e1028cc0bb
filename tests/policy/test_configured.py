"""[policy] and [mirrors.NAME.policy] become the gates of the mirrors, or a list of what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirror.clients import Discovered
from mirror.comparing import changed
from mirror.config import Config, load
from mirror.errors import ConfigError
from mirror.policy.artifact import OPEN, Artifact, Verdict
from tests.instruments.server import ROOT
from tests.policy.builders import DAY, NOW, said

MIRRORS = """
[mirrors.pypi]
ecosystem = "pypi"
upstream = "http://upstream.test"
[mirrors.npm]
ecosystem = "npm"
upstream = "http://upstream.test"
[mirrors.debian]
ecosystem = "apt"
upstream = "http://upstream.test"
[mirrors.get]
ecosystem = "any"
"""


def read(folder: Path, text: str, mirrors: str = MIRRORS) -> Config:
    def nothing(*_: object) -> Discovered:
        raise AssertionError("no client is asked here")

    (folder / "config.toml").write_text(text + mirrors)
    return load(folder / "config.toml", discover=nothing)


def problems(folder: Path, text: str, mirrors: str = MIRRORS) -> list[str]:
    with pytest.raises(ConfigError) as error:
        read(folder, text, mirrors)
    return [line.removeprefix(f"{folder}/") for line in error.value.problems]


def verdict(config: Config, mirror: str, package: str, version: str = "1.0.0", days: float | None = 1) -> Verdict:
    (found,) = (each for each in config.mirrors if each.name == mirror)
    at = None if days is None else NOW - days * DAY
    return found.gate.verdict(Artifact(found.ecosystem, package, version, published=at), NOW)


def test_without_a_policy_all_gates_are_open(tmp_path: Path) -> None:
    config = read(tmp_path, "")
    assert [mirror.gate for mirror in config.mirrors] == [OPEN] * 4
    assert config.policy == read(tmp_path, "[policy]").policy


FULL = """
[policy]
min_age = "7d"
private = ["acme-*", "@acme/*"]
[policy.ages]
"django*" = "12h"
"pkg:npm/%40types/node" = "0s"
[[policy.deny]]
packages = ["pkg:pypi/evil"]
reason = "stolen"
[[policy.deny]]
packages = "left-pad"
versions = ["<1.0.0", "2.0.0"]
ecosystem = "npm"
[[policy.deny]]
files = ["*.exe"]
[[policy.exempt]]
packages = ["numpy"]
owner = "science"
reason = "a build waits for it"
until = 2026-09-21
"""


def test_what_is_written_is_what_counts(tmp_path: Path) -> None:
    config = read(tmp_path, FULL)
    assert verdict(config, "pypi", "six").rule == "cooldown"
    assert verdict(config, "npm", "six").rule == "cooldown"
    assert verdict(config, "pypi", "django-filter").allowed
    assert verdict(config, "npm", "@types/node", days=0).allowed
    assert verdict(config, "npm", "@acme/x").rule == "private"
    assert verdict(config, "pypi", "evil").reason == "evil 1.0.0 is denied: stolen (policy 'deny')"
    assert verdict(config, "npm", "evil").rule == "cooldown"
    assert verdict(config, "npm", "left-pad", "0.9.0").rule == "deny"
    assert verdict(config, "npm", "left-pad", "2.0.0").rule == "deny"
    assert verdict(config, "npm", "left-pad", "1.0.0").rule == "cooldown"
    assert verdict(config, "pypi", "left-pad", "0.9.0").rule == "cooldown"
    assert said(verdict(config, "pypi", "numpy")) == (True, "exempt")
    assert verdict(config, "pypi", "numpy").until == 1790035200.0  # the end of that day in UTC


def test_an_archive_has_no_minimum_age_but_its_own(tmp_path: Path) -> None:
    """PROTOCOLS G.apt: it states no dates: all would be held."""
    config = read(tmp_path, FULL)
    assert verdict(config, "debian", "curl", days=None).allowed
    assert verdict(config, "debian", "acme-tools").rule == "private"
    own = '[mirrors.debian.policy]\nmin_age = "1d"\ndates = "first-seen"\n'
    gate = next(mirror.gate for mirror in read(tmp_path, FULL, MIRRORS + own).mirrors if mirror.name == "debian")
    assert gate.verdict(Artifact("apt", "curl", "8.0-1", first_seen=NOW), NOW).until == NOW + DAY
    for line in ('min_age = "1d"', 'ages = { curl = "1d" }'):
        (told,) = problems(tmp_path, "", MIRRORS + f"[mirrors.debian.policy]\n{line}")
        key = line.partition(" ")[0]
        expected = f"config.toml:14: [mirrors.debian.policy] {key}: an archive states no dates of its packages"
        assert told.startswith(expected)


def test_a_mirror_has_settings_of_its_own_and_more_rules(tmp_path: Path) -> None:
    own = """
[mirrors.npm.policy]
mode = "audit"
min_age = "0s"
unknown = "pass"
dates = "first-seen"
private = ["inner-*"]
[mirrors.npm.policy.ages]
lodash = "3d"
[[mirrors.npm.policy.deny]]
packages = ["colors"]
versions = ">1.4.0"
[[mirrors.npm.policy.allow]]
packages = ["*"]
[[mirrors.npm.policy.exempt]]
packages = ["lodash"]
versions = "4.0.0"
owner = "web"
reason = "urgent"
until = 2026-12-31T12:00:00+01:00
"""
    config = read(tmp_path, FULL, MIRRORS + own)
    assert verdict(config, "npm", "six").rule == "none"
    assert verdict(config, "pypi", "six").rule == "cooldown"
    assert verdict(config, "npm", "inner-x").rule == "private"
    assert verdict(config, "pypi", "inner-x").rule == "cooldown"
    assert verdict(config, "npm", "@acme/x").rule == "private"
    assert verdict(config, "npm", "left-pad", "2.0.0").rule == "deny"
    assert verdict(config, "npm", "colors", "1.4.1").rule == "deny"
    assert not verdict(config, "npm", "colors", "1.4.1").refused
    assert verdict(config, "npm", "lodash", "4.0.1").rule == "cooldown"
    assert verdict(config, "npm", "lodash", "4.0.1", days=None).allowed
    assert verdict(config, "npm", "lodash", "4.0.0").until == 1798714800.0


def test_a_mirror_may_be_taken_out(tmp_path: Path) -> None:
    config = read(tmp_path, FULL, MIRRORS + '[mirrors.npm.policy]\nmode = "off"\n')
    assert [bool(mirror.gate) for mirror in config.mirrors] == [True, False, True, False]


def test_a_list_of_what_is_allowed_on_one_mirror_closes_no_other(tmp_path: Path) -> None:
    own = '[[mirrors.npm.policy.allow]]\npackages = ["react", "@types/*"]\n'
    config = read(tmp_path, "", MIRRORS + own)
    assert verdict(config, "npm", "left-pad").rule == "allow"
    assert verdict(config, "npm", "@types/node").allowed
    assert verdict(config, "pypi", "left-pad").allowed


def test_advisories_are_expected_where_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "osv").mkdir()
    (tmp_path / "more.zip").write_bytes(b"")
    config = read(tmp_path, '[policy]\nadvisories = ["osv", "more.zip"]\n')
    assert config.policy.advisories == (tmp_path / "osv", tmp_path / "more.zip")
    assert [bool(mirror.gate) for mirror in config.mirrors] == [True, True, True, False]
    assert read(tmp_path, '[policy]\nadvisories = "osv"\n').policy.advisories == (tmp_path / "osv",)


EXEMPT = '[[policy.exempt]]\npackages = ["six"]\nowner = "me"\nreason = "x"\nuntil = '


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[policy]\nmode = "of"', '2: [policy] mode: "of" is not one of enforce, audit, off'),
        ("[policy]\nmin_age = 3", "2: [policy] min_age: 3 is not a duration (write 30s, 10m, 12h, 7d)"),
        ('[policy]\nunknown = "drop"', '2: [policy] unknown: "drop" is not one of hold, pass'),
        ('[policy]\ndates = "mine"', '2: [policy] dates: "mine" is not one of origin, first-seen'),
        ('[policy]\nmin_ages = "3d"', "2: [policy] min_ages: unknown key (did you mean min_age?)"),
        ('[polcy]\nmode = "off"', "1: [polcy]: unknown table (did you mean [policy]?)"),
        ('[policy]\nprivate = ["a b"]', '2: [policy] private: "a b" is not a name (write six, django*, @acme/* or '),
        ('[policy]\nprivate = "pkg:pypi/x@1"', "2: [policy] private: this is about packages, not versions"),
        ("[policy]\nprivate = [3]", "2: [policy] private: a list is not a list of texts in quotes"),
        ('[policy]\nadvisories = "none"', "2: [policy] advisories: "),
        ("[policy]\nages = 3", "2: [policy] ages: not a table (write [policy.ages])"),
        ("[policy]\ndeny = 3", "2: [policy] deny: not tables (write [[policy.deny]])"),
        ('[policy.deny]\npackages = ["x"]', "1: [policy] deny: not tables (write [[policy.deny]])"),
        ('[policy.ages]\nsix = "soon"', '2: [policy.ages] six: "soon" is not a duration'),
        ('[policy.ages]\n"a b" = "3d"', '2: [policy.ages] "a b": "a b" is not a name'),
        ('[policy.ages]\n"pkg:pypi/x@1" = "3d"', '2: [policy.ages] "pkg:pypi/x@1": this is about packages'),
        ('[[policy.deny]]\nreason = "x"', '1: [[policy.deny]] packages: missing (["*"] are all)'),
        ("[[policy.deny]]\npackages = []", "2: [[policy.deny]] packages: a list is not a list of texts in quotes"),
        ('[[policy.deny]]\nlicenses = [""]', "2: [[policy.deny]] licenses: a list is not a list of texts in quotes"),
        ('[[policy.deny]]\npackage = ["x"]\nfiles = "*"', "2: [[policy.deny]] package: unknown key (did you mean pack"),
        (
            '[[policy.deny]]\npackages = "x"\nversions = "<1"',
            '3: [[policy.deny]] versions: whose? (write ecosystem = "',
        ),
        (
            '[[policy.deny]]\npackages = ["pkg:pypi/x", "pkg:npm/y"]\nversions = "<1"',
            "3: [[policy.deny]] versions: whose?",
        ),
        (
            '[[policy.deny]]\npackages = "pkg:pypi/x"\nversions = "^1"',
            '3: [[policy.deny]] versions: "^1" is not a range of versions (write "<1.17", ',
        ),
        (
            '[[policy.deny]]\npackages = "@a/x"\nversions = "<1, 2"',
            '3: [[policy.deny]] versions: "<1, 2" is not a range',
        ),
        ('[[policy.deny]]\npackages = "pkg:npm/x@^1"', "2: [[policy.deny]] packages: a package URL names one version"),
        (
            '[[policy.deny]]\npackages = "pkg:npm/x"\necosystem = "pypi"',
            '2: [[policy.deny]] packages: "pkg:npm/x" is no pypi package',
        ),
        (
            '[[policy.deny]]\npackages = "x"\n[[policy.deny]]\n\npackages = "a b"',
            '5: [[policy.deny]] packages: "a b" is not a name',
        ),
        ('[[policy.allow]]\npackages = "a b"', '2: [[policy.allow]] packages: "a b" is not a name'),
        ('[[policy.allow]]\npackages = "x"\nowner = "me"', "3: [[policy.allow]] owner: unknown key"),
        (
            EXEMPT + '"2026-12-31"',
            '5: [[policy.exempt]] until: "2026-12-31" is not a date (write 2026-12-31, without quotes',
        ),
        (EXEMPT + "12:00:00", "5: [[policy.exempt]] until: 12:00:00 is not a date"),
        (EXEMPT + "9999-12-31", "5: [[policy.exempt]] until: 9999-12-31 is later than any calendar goes"),
        (EXEMPT.replace('"me"', '" "') + "2026-12-31", "3: [[policy.exempt]] owner: empty"),
        (EXEMPT.replace('"x"', "3") + "2026-12-31", "4: [[policy.exempt]] reason: 3 is not text in quotes"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    (found,) = problems(tmp_path, text + "\n")
    assert found.startswith(f"config.toml:{told}"), found


def test_an_exemption_says_whose_it_is_why_and_until_when(tmp_path: Path) -> None:
    assert problems(tmp_path, '[[policy.exempt]]\nversions = "1.0"\n') == [
        "config.toml:1: [[policy.exempt]] packages: missing (which are exempt)",
        "config.toml:1: [[policy.exempt]] owner: missing (who answers for it)",
        "config.toml:1: [[policy.exempt]] reason: missing (why)",
        "config.toml:1: [[policy.exempt]] until: missing (a date, 2026-12-31, or a time: an exemption ends)",
        'config.toml:2: [[policy.exempt]] versions: whose? (write ecosystem = "pypi", or packages as pkg:pypi/NAME)',
    ]


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ("[mirrors.npm.policy]\nmodes = 3", "[mirrors.npm.policy] modes: unknown key (did you mean mode?)"),
        ('[mirrors.npm.policy]\nadvisories = "."', "[mirrors.npm.policy] advisories: unknown key"),
        ("[mirrors.npm]\npolicy = 3", "[mirrors.npm.policy]: not a table (write [mirrors.npm.policy])"),
        (
            '[[mirrors.npm.policy.deny]]\npackages = "pkg:pypi/six"',
            '[[mirrors.npm.policy.deny]] packages: "pkg:pypi/six" is no npm package',
        ),
        (
            '[[mirrors.npm.policy.deny]]\npackages = "x"\necosystem = "npm"',
            "[[mirrors.npm.policy.deny]] ecosystem: unknown key",
        ),
        ("[mirrors.get.policy]", "[mirrors.get.policy]: only pypi, npm, apt mirrors have a policy"),
    ],
)
def test_what_is_wrong_with_a_mirrors_own_is_said(tmp_path: Path, own: str, told: str) -> None:
    mirrors = MIRRORS.replace("[mirrors.npm]\n", f"{own}\n") if own.startswith("[mirrors.npm]") else MIRRORS + own
    (found,) = problems(tmp_path, "", mirrors)
    assert told in found


def test_the_examples_of_the_default_file_can_be_used(tmp_path: Path) -> None:
    text = (ROOT / "config.toml").read_text()
    policy = text[text.index("[policy]") : text.index("# A mirror is a table")]
    lines = [line.removeprefix("# ") for line in policy.splitlines() if line != "#"]
    config = read(tmp_path, "", MIRRORS + "\n".join(lines))
    assert verdict(config, "npm", "@types/node").rule == "cooldown"
    assert verdict(config, "npm", "react").rule == "allow"
    assert verdict(config, "pypi", "numpy", "2.4.1").rule == "exempt"


def test_a_change_of_the_policy_is_a_change_of_the_mirrors_that_it_concerns(tmp_path: Path) -> None:
    before = read(tmp_path, FULL)
    denied = FULL.replace("stolen", "broken")
    assert changed(before, read(tmp_path, FULL)) == []
    assert changed(before, read(tmp_path, denied)) == ["policy.deny", "mirrors.pypi.policy"]
