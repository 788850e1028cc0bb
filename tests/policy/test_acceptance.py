"""Each line of the acceptance table has a test, and the test says which lines it shows."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.policy import builders

ROOT = Path(builders.__file__).parents[2]
LINES: list[dict[str, Any]] = tomllib.loads((ROOT / "tests/policy/acceptance.toml").read_text())["line"]
SHOWN = sorted({(test, line["of"]) for line in LINES for test in line["tests"]})
CITED = re.compile(r"[\w-]+(?:[.#]\w+)+")


@cache
def parsed(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text())


def docstring(test: str) -> str | None:
    """What a test says of itself, None where there is no such test."""
    file, *names = test.split("::")
    found: Any = parsed(file) if (ROOT / file).is_file() else None
    for name in names:
        found = next((each for each in getattr(found, "body", ()) if getattr(each, "name", None) == name), None)
    is_test = isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef) and found.name.startswith("test_")
    return (ast.get_docstring(found) or "") if is_test else None


@pytest.mark.parametrize(("test", "of"), SHOWN)
def test_what_shows_a_line_exists_and_names_it(test: str, of: str) -> None:
    told = docstring(test)
    assert told is not None, f"there is no {test}"
    assert of in CITED.findall(told), f"{test} does not name {of}"


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["of"])
def test_each_line_is_shown_by_some_test(line: dict[str, Any]) -> None:
    assert line["says"]
    assert line["tests"]


def test_no_rule_is_left_out() -> None:
    told = {line["of"] for line in LINES}
    assert {f"G.{number}" for number in range(1, 11)} | {"G.pypi", "G.npm", "G.apt", "H.2"} <= told


@pytest.mark.parametrize(
    "test", ["tests/nothing.py::test_x", "tests/policy/test_acceptance.py::test_x", "tests/policy"]
)
def test_what_is_no_test_is_found_out(test: str) -> None:
    assert docstring(test) is None
