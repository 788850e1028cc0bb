"""The container gets releases that are named with their hashes, all of them, none older than pyproject.toml wants."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.instruments.containerfile import stages

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WANTED = {
    "release.txt": [Requirement(line) for line in PROJECT["project"]["dependencies"]],
    "build.txt": [Requirement(line) for line in PROJECT["build-system"]["requires"]],
}
PIN = re.compile(r"^([\w.-]+)==(\S+)(?: ; [^\\]+)?(?: \\\n {4}--hash=sha256:[0-9a-f]{64})+\n", re.MULTILINE)


def text(name: str) -> str:
    return (ROOT / "requirements" / name).read_text()


def pins(name: str) -> dict[str, Version]:
    return {canonicalize_name(found[1]): Version(found[2]) for found in PIN.finditer(text(name))}


@pytest.mark.parametrize("name", WANTED)
def test_every_line_is_a_release_with_its_hashes_and_names_no_place(name: str) -> None:
    left = [line for line in PIN.sub("", text(name)).splitlines() if not line.strip().startswith("#")]
    assert left == []
    assert pins(name)
    assert not re.search(r"://|--index|--extra|--find|--trusted|(?<!\w)@", text(name))


@pytest.mark.parametrize("name", WANTED)
def test_what_the_project_wants_is_there_and_new_enough(name: str) -> None:
    known = pins(name)
    for wanted in WANTED[name]:
        assert wanted.specifier.contains(known[canonicalize_name(wanted.name)]), f"{wanted}: run scripts/lock"


def test_what_they_need_themselves_is_there_too() -> None:
    """As far as it is installed here: a release that is not pinned would be refused at the build."""
    known = pins("release.txt")
    for name in known:
        try:
            needs = [Requirement(line) for line in metadata.requires(name) or ()]
        except metadata.PackageNotFoundError:
            continue
        for need in needs:
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                assert canonicalize_name(need.name) in known, f"{name} needs {need}: run scripts/lock"


def test_the_container_takes_nothing_else() -> None:
    """Each pip takes hashed releases, or the wheel that was built of them without asking anybody."""
    runs = [step.line for stage in stages(ROOT / "contrib/container/Containerfile") for step in stage.all("RUN")]
    commands = [one for line in runs for one in re.split(r"&&|;", line) if re.search(r"\bpip (install|wheel)\b", one)]
    assert {name for name in WANTED if any(name in command for command in commands)} == set(WANTED)
    for command in commands:
        assert "--require-hashes -r " in command or "--no-index" in command, command
