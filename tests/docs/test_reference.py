"""The pages that are made from the code are as the code is now, and nothing in it is missing from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirror.clients import Discovered
from mirror.config import load
from tests.docs import api, commands, configuration
from tests.instruments.server import ROOT, http_mirror, served

MINIMAL = """
[mirrors.pypi]
ecosystem = "pypi"
[mirrors.npm]
ecosystem = "npm"
[mirrors.debian]
ecosystem = "apt"
[mirrors.debian-security]
ecosystem = "apt"
[mirrors.get]
ecosystem = "any"
"""


def written(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def test_the_page_of_the_configuration_is_up_to_date() -> None:
    assert written("configuration.md") == configuration.page(), configuration.COMMAND


def test_every_key_is_told_of_in_the_default_file_and_no_other() -> None:
    told = configuration.described()
    for section, keys in configuration.known().items():
        assert set(told[section]) == set(keys), section
        assert all(key.meaning for key in told[section].values()), section


def test_the_default_file_says_nothing_but_the_defaults(tmp_path: Path) -> None:
    """Else the column `default` would not be true."""
    (tmp_path / "config.toml").write_text((ROOT / "config.toml").read_text())
    (tmp_path / "minimal").mkdir()
    (tmp_path / "minimal" / "config.toml").write_text(MINIMAL)

    def discover(*_: object) -> Discovered:
        return Discovered("http://upstream.test")

    default = load(tmp_path / "config.toml", discover=discover)
    minimal = load(tmp_path / "minimal" / "config.toml", discover=discover)
    assert default.mirrors == minimal.mirrors
    for section in ("server", "admin", "upstream", "log", "audit", "policy"):
        assert getattr(default, section) == getattr(minimal, section), section
    assert default.cache.max_size == minimal.cache.max_size


def test_the_page_of_commands_is_up_to_date() -> None:
    assert written("commands.md") == commands.page(), commands.COMMAND


def test_the_page_of_the_api_is_up_to_date(tmp_path: Path) -> None:
    with served(tmp_path, http_mirror("http://127.0.0.1:9")) as server:
        assert written("api.md") == api.page(server), api.COMMAND


@pytest.mark.parametrize("name", ["http.md", "differential.md", "metrics.md", "rights.md"])
def test_pages_that_other_tests_make_are_in_the_contents(name: str) -> None:
    assert name in (ROOT / "mkdocs.yml").read_text()
    assert written(name)
