"""The Containerfile keeps the rules that matter, and agrees with the configuration beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mirror.config import load
from tests.instruments.containerfile import Stage, Step, stages

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "contrib" / "container"
STAGES = stages(FOLDER / "Containerfile")
FINAL = STAGES[-1]
RUNS = [step.line for stage in STAGES for step in stage.all("RUN")]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name or "final")
def test_a_base_is_named_whole_with_a_tag_that_means_a_release(stage: Stage) -> None:
    registry, _, tag = stage.base.rpartition(":")
    assert "/" in registry
    assert tag
    assert tag != "latest"
    assert not stage.all("ADD")


@pytest.mark.parametrize("line", RUNS)
def test_what_is_installed_leaves_nothing_behind_that_is_not_needed(line: str) -> None:
    for command in re.split(r"&&|;", line):
        if "apt-get install" in command:
            assert "--no-install-recommends" in command
            assert "--yes" in command
            assert "apt-get update" in line
            assert "rm -rf /var/lib/apt/lists/*" in line
        if "pip install" in command:
            assert "--no-cache-dir" in command
    assert not re.search(r"\b(sudo|curl|wget|chmod (-R )?777)\b", line)


def test_nobody_runs_as_root_and_nothing_is_built_by_who_runs() -> None:
    user = FINAL.steps.index(FINAL.last("USER"))
    assert re.fullmatch(
        r"[1-9]\d{3,}:[1-9]\d{3,}", FINAL.steps[user].line
    )  # numbers: a cluster can tell that it is no root
    assert not [step for step in FINAL.steps[user:] if step.word in ("RUN", "COPY")]
    assert not any("--chown" in option for step in FINAL.all("COPY") for option in step.options)


def test_the_program_gets_its_signals_itself() -> None:
    for word in ("ENTRYPOINT", "CMD"):
        assert FINAL.last(word).listed is not None
    assert FINAL.last("STOPSIGNAL").line == "SIGTERM"


def test_its_health_is_asked_for_with_what_is_there() -> None:
    check = FINAL.last("HEALTHCHECK")
    assert check.line.startswith("CMD [")
    command = Step("CMD", (), check.line.removeprefix("CMD ")).listed
    assert command
    assert command[0].startswith("/opt/mirror/bin/python3")
    assert "/-/ready" in command[2]
    compile(command[2], "healthcheck", "exec")


def test_what_is_copied_is_there() -> None:
    for stage in STAGES:
        for step in stage.all("COPY"):
            *sources, _ = step.line.split()
            if any(option.startswith("--from=") for option in step.options):
                assert step.options[0].removeprefix("--from=") in {known.name for known in STAGES}
            else:
                assert all((ROOT / source).exists() for source in sources), step


def test_the_configuration_beside_it_is_good_and_says_the_same() -> None:
    config = load(FOLDER / "config.toml")
    assert str(config.server.listen) == f"0.0.0.0:{FINAL.last('EXPOSE').line}"
    assert str(config.cache.path) == FINAL.last("VOLUME").line
    assert f"MIRROR_CONFIG={FINAL.all('COPY')[-1].line.split()[-1]}" in FINAL.last("ENV").line
    assert all(".example.com" in upstream for mirror in config.mirrors for upstream in mirror.upstreams)
    assert [mirror.name for mirror in config.mirrors if not mirror.upstreams] == ["get"]
