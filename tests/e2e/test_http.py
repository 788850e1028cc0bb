"""Each clause of RFC 9111, and of what it needs, once through a real server and a scripted origin on sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.http_cases import CASES, COMMAND, document
from tests.e2e.http_play import Play
from tests.e2e.http_steps import Case
from tests.instruments.script import Script
from tests.instruments.server import Served, served

MIRRORS = {"o": "", "brief": 'keep = "0s"', "lasting": 'ttl = "1h"'}
"""One as it comes, one that serves stale only as the origin allows it, one with a lifetime of its own."""


def config(upstream: str) -> str:
    mirrors = (
        f'[mirrors.{name}]\necosystem = "http"\nupstream = "{upstream}"\n{setting}\n'
        for name, setting in MIRRORS.items()
    )
    cache = '[cache]\nmin_free = "1MB"\ndurability = "none"\n[upstream]\nretries = 0\n'
    return cache + "".join(mirrors)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Script]]:
    with Script() as origin, served(tmp_path_factory.mktemp("http"), config(origin.url)) as server:
        yield server, origin
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_clause(both: tuple[Served, Script], case: Case) -> None:
    server, origin = both
    Play(case, server.port, origin).run()


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_page_says_what_the_table_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "http.md"
    assert page.read_text() == document(), f"docs/http.md is out of date: {COMMAND}"
