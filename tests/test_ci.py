"""What failed beside all other tests is run again, in a project of its own whose tests fail as they are told to."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

AGAIN = Path(__file__).parent.parent / ".ci" / "again"
RUN = f'#!/bin/sh\nPYTEST_ADDOPTS= PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 exec {sys.executable} -P -m pytest -q "$@"\n'
TESTS = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("times", [{times}], ids="of {{}} times".format)
def test_fails(times, request):
    runs = Path(f"{{request.path.name}} {{request.node.name}}")
    runs.touch()
    with runs.open("a") as file:
        file.write(".")
    assert runs.stat().st_size > times
"""


@pytest.mark.parametrize(
    ("times", "code", "said"),
    [
        (["1"], 0, "passed three times alone): test_0.py::test_fails[of 1 times]\n"),
        (["0, 1, 1, 1, 1", "0", "1"], 0, "passed three times alone): test_0.py::test_fails[of 1 times2]\n"),
        (["2"], 1, "1 failed"),
        (["1", "1, 99"], 1, "1 failed, 2 passed"),
        (["1", "1", "1", "1"], 1, "tests of 4 files failed: too many for chance\n"),
    ],
)
def test_failures_are_run_again(tmp_path: Path, times: list[str], code: int, said: str) -> None:
    """Times: how often each test of each file fails before it passes."""
    for folder in (".ci", "scripts"):
        (tmp_path / folder).mkdir()
    shutil.copy(AGAIN, tmp_path / ".ci" / "again")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for number, each in enumerate(times):
        (tmp_path / f"test_{number}.py").write_text(TESTS.format(times=each))
    run = tmp_path / "scripts" / "test"
    run.write_text(RUN)
    run.chmod(0o755)
    assert again(tmp_path).returncode == 1, "there is nothing to run again"
    first = subprocess.run([run, "-o", "cache_dir=.pytest_cache/one"], cwd=tmp_path, capture_output=True, text=True)
    assert first.returncode == 1, first.stdout
    done = again(tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout, done.stdout
    assert ("UNSTEADY" in done.stdout) == (code == 0)


def again(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [folder / ".ci" / "again", ".pytest_cache/one"]
    return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True)
