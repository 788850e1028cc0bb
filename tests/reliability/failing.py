"""A plugin of pytest that notes how tests failed, for `breaking.py`: in the file MIRROR_TEST_FAILED, one to a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

ERRORS_OF_A_BREAK = frozenset(
    {"ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError", "UnboundLocalError"}
    | {"AttributeError", "TypeError", "collection"}
)
"""What shows that the code was broken badly, and not that a test looks at what it promises."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A test that failed: by which kind of exception, and how that begins. `kind` "": it has passed."""

    node: str
    kind: str
    text: str


def read(path: Path) -> tuple[frozenset[str], tuple[Failed, ...]]:
    """Those that have passed, and those that failed."""
    told = [Failed(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
    return frozenset(one.node for one in told if not one.kind), tuple(one for one in told if one.kind)


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    if call.excinfo is None:
        if call.when == "call":
            _note(Failed(item.nodeid, "", ""))
        return
    if call.excinfo.errisinstance(pytest.skip.Exception):
        return
    for exc in _leaves(call.excinfo.value):
        _note(Failed(item.nodeid, type(exc).__name__, " ".join(str(exc).split())[:300]))


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _note(Failed(report.nodeid or "tests", "collection", str(report.longrepr)[-300:]))


def _leaves(exc: BaseException) -> Iterator[BaseException]:
    if isinstance(exc, BaseExceptionGroup):
        for each in exc.exceptions:
            yield from _leaves(each)
    else:
        yield exc


def _note(one: Failed) -> None:
    with Path(os.environ["MIRROR_TEST_FAILED"]).open("a") as file:
        file.write(json.dumps(asdict(one)) + "\n")
