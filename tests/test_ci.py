"""What failed beside all other tests is run again, in a project of its own whose tests fail as they are told to."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

AGAIN = Path(__file__).parent.parent / ".ci" / "again"
RUN = f'#!/bin/sh\nPYTEST_DISABLE_PLUGIN_AUTOLOAD=1 exec {sys.executable} -P -m pytest -q "$@"\n'
TESTS = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("times", [{times}], ids="of {{}} times".format)
def test_fails(times, request):
    runs = Path("runs of " + request.node.name)
    runs.touch()
    with runs.open("a") as file:
        file.write(".")
    assert runs.stat().st_size > times
"""


@pytest.mark.parametrize(
    ("times", "code", "said"),
    [
        ("1", 0, "passed three times alone): test_it.py::test_fails[of 1 times]\n"),
        ("0, 1, 1, 1", 0, "passed three times alone): test_it.py::test_fails[of 1 times1]\n"),
        ("2", 1, "1 failed"),
        ("1, 99", 1, "1 failed, 1 passed"),
        ("1, 1, 1, 1", 1, "4 tests failed: too many for chance\n"),
    ],
)
def test_failures_are_run_again(tmp_path: Path, times: str, code: int, said: str) -> None:
    """Times: how often each test fails before it passes."""
    for folder in (".ci", "scripts"):
        (tmp_path / folder).mkdir()
    shutil.copy(AGAIN, tmp_path / ".ci" / "again")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(TESTS.format(times=times))
    run = tmp_path / "scripts" / "test"
    run.write_text(RUN)
    run.chmod(0o755)
    first = subprocess.run([run, "-o", "cache_dir=.pytest_cache/one"], cwd=tmp_path, capture_output=True, text=True)
    assert first.returncode == 1, first.stdout
    again = subprocess.run(
        [tmp_path / ".ci" / "again", ".pytest_cache/one"], cwd=tmp_path.parent, capture_output=True, text=True
    )
    assert again.returncode == code, again.stdout + again.stderr
    assert said in again.stdout, again.stdout
    assert ("UNSTEADY" in again.stdout) == (code == 0)
