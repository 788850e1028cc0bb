"""Collects what tests of the scorecard's rows show: the marker `row`, the fixture `figure`, `--row=N`.

With MIRROR_TEST_ROWS=FILE the outcomes of a run go to that file as JSON, for `python -m tests.reliability.page`; of a
folder's name, to one in it.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.reliability.rows import ROWS
from tests.reliability.seen import Outcome, Seen, write


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--row", type=int, action="append", default=[], help="run the tests of this row of the scorecard")


def pytest_configure(config: pytest.Config) -> None:
    if path := os.environ.get("MIRROR_TEST_ROWS"):
        file = Path(path) / f"{os.getpid()}.json" if os.path.isdir(path) else Path(path)
        config.pluginmanager.register(Collected(file), "mirror-rows")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each test's rows and the sizes that its markers tell go into its properties, which all its reports carry."""
    wanted = set(config.getoption("--row"))
    left: list[pytest.Item] = []
    for item in items:
        rows = dict(_marked(item))
        item.user_properties += [("row", row) for row in rows.items()]
        if not wanted or wanted & rows.keys():
            left.append(item)
    if len(left) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in left])
        items[:] = left


def _marked(item: pytest.Item) -> Iterator[tuple[int, str]]:
    """The rows of a test, each with the size at which the test shows it (`at`, empty: as the row says)."""
    for marker in item.iter_markers("row"):
        for number in marker.args:
            if number not in ROWS:
                raise pytest.UsageError(f"{item.nodeid}: no row {number} in tests/reliability/rows.py")
            yield number, str(marker.kwargs.get("at", ""))


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Tells a figure of the test's rows for docs/reliability.md: `figure("0 wrong bytes after 200 kills")`."""
    return lambda text: record_property("figure", text)


class Collected:
    """The outcomes of one run; written to `path` at its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[str, Outcome] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        rows = dict(value for name, value in report.user_properties if name == "row")
        if not rows or (report.passed and report.when != "call"):
            return
        figures = dict.fromkeys(str(value) for name, value in report.user_properties if name == "figure")
        why = str(report.longrepr[2]) if report.skipped and isinstance(report.longrepr, tuple) else ""
        self._outcomes[report.nodeid] = Outcome(report.nodeid, rows, report.outcome, tuple(figures), why)

    def pytest_sessionfinish(self) -> None:
        today = datetime.now(UTC).date().isoformat()
        write(self._path, Seen((today,), (_machine(),), tuple(self._outcomes.values())))


def _machine() -> str:
    """The kind of this machine, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    system = f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {system}, Python {platform.python_version()}"
