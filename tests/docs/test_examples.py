"""Every example of the manual works as it is written: shell lines run, configurations load, documents can be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mirror.clients import Discovered
from mirror.config import load
from tests.docs.examples import PAGES, Example, examples
from tests.docs.household import Household, household
from tests.instruments.tls import certified

pytestmark = pytest.mark.timeout(180)


def unchecked(languages: set[str]) -> list[str]:
    known = {"sh", "toml", "json", "yaml", "text", "nginx", ""}
    return sorted(languages - known)


def test_every_block_says_what_it_is() -> None:
    languages = {
        line[3:].split(" ")[0] for page in PAGES for line in page.read_text().splitlines() if line[:3] == "```"
    }
    assert unchecked(languages) == []
    assert unchecked({"bash"}) == ["bash"]


@pytest.mark.parametrize("example", examples("toml"), ids=str)
def test_configurations_load(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the mirror; of others, that they are TOML."""
    if example.title:
        tomllib.loads(example.text)
        return
    for name in ("NPM_TOKEN", "MIRROR_ADMIN_TOKEN"):
        monkeypatch.setenv(name, "a-token-of-the-tests")
    if "tls_cert" in example.text:
        certificate, key = certified(tmp_path, "mirror")
        key.rename(tmp_path / "mirror-key.pem")
        assert certificate == tmp_path / "mirror.pem"
    (tmp_path / "config.toml").write_text(example.text)
    mirrors = load(tmp_path / "config.toml", discover=lambda *_: Discovered("http://upstream.test")).mirrors
    assert mirrors, example.text


def test_json_is_json() -> None:
    for example in examples("json"):
        json.loads(example.text)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    with household(tmp_path_factory.mktemp("household")) as house:
        yield house


RUN = [example for example in examples("sh") if not example.why_not]
"""In the order in which they stand: a page's examples build on each other."""


@pytest.mark.parametrize("example", RUN, ids=str)
def test_shell_lines_run(example: Example, house: Household) -> None:
    house.move_to(example.page)
    done = house.run(example.text)
    assert done.returncode == 0, f"{example}: {example.text}\n{done.stdout}\n{done.stderr}"


def test_a_line_that_fails_is_noticed(house: Household) -> None:
    house.move_to("failing")
    assert house.run("false\ntrue\n").returncode != 0
    assert house.run("curl -fsS http://127.0.0.1:8000/pypi/simple/nothing-of-that-name/\n").returncode != 0


def test_the_manual_builds(tmp_path: Path) -> None:
    """Strictly: no link leads nowhere, no page is missing from the contents."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "operation" / "index.html").exists()
