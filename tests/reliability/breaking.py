"""Runs tests in copies of the tree, whole or broken, and judges whether they failed for what was broken."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.reliability.breaks import Break
from tests.reliability.failing import ERRORS_OF_A_BREAK, Failed, read

SECONDS = 60
"""For one test; a test's own marker counts more."""

LIMIT = 240
"""Seconds for one run."""

_LEFT = (".git", ".venv", ".*_cache", "__pycache__", ".hypothesis", "node_modules", "cache", "site", "dist")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a break was seen, how many seconds the broken run took, and who noticed it, or why nobody did."""

    red: bool
    seconds: float
    said: str


@dataclass(frozen=True, slots=True)
class _Run:
    code: int  # of pytest; -1: it took too long
    passed: int
    failed: tuple[Failed, ...]
    seconds: float
    output: str


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a whole copy of the tree; `_whole` remembers what its tests said of it."""

    folder: Path
    _whole: dict[tuple[str, ...], str] = field(default_factory=dict)  # "": they pass

    @staticmethod
    @contextmanager
    def made(root: Path) -> Iterator[Place]:
        with tempfile.TemporaryDirectory(prefix="breaks-") as folder:
            _copied(root, Path(folder) / "whole")
            yield Place(Path(folder))

    def tried(self, each: Break) -> Verdict:
        """The tests of a break, in a whole tree and in a broken one."""
        if each.tests not in self._whole:
            run = _run(self.folder / "whole", each.tests)
            good = run.code == 0 and run.passed > 0
            self._whole[each.tests] = "" if good else f"red or skipped before anything is broken: {_last(run)}"
        if why := self._whole[each.tests]:
            return Verdict(False, 0.0, why)
        tree = _copied(self.folder / "whole", self.folder / "broken")
        try:
            for change in each.changes:
                (tree / "mirror" / change.file).write_text(change.applied(tree))
            if nonsense := _nonsense(tree, [change.file for change in each.changes]):
                return Verdict(False, 0.0, f"it is no program any more: {nonsense}")
            return _judged(_run(tree, each.tests))
        finally:
            shutil.rmtree(tree)


def _copied(source: Path, target: Path) -> Path:
    ignored = shutil.ignore_patterns(*_LEFT)

    def left(folder: str, names: list[str]) -> set[str]:
        """At the top alone a folder `cache` is none of the program's."""
        return {name for name in ignored(folder, names) if name != "cache" or folder == str(source)}

    return Path(shutil.copytree(source, target, symlinks=True, ignore=left))


def _nonsense(tree: Path, files: list[str]) -> str:
    """What makes the broken files no program: a syntax error, or a name that is not there."""
    ruff = Path(sys.executable).with_name("ruff")
    command = [str(ruff), "check", "--isolated", "--quiet", "--no-cache", "--select", "E9,F82", "--output-format"]
    paths = [str(tree / "mirror" / file) for file in files]
    done = subprocess.run([*command, "concise", *paths], check=False, capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip() if done.returncode else ""


def _run(tree: Path, tests: tuple[str, ...]) -> _Run:
    report = tree / "failed.jsonl"
    report.unlink(missing_ok=True)
    options = ["-x", "-q", "--tb=line", "--no-header", f"--timeout={SECONDS}", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, "-p", "tests.reliability.failing", *tests]
    environment = os.environ | {"PYTHONPATH": str(tree), "MIRROR_TEST_FAILED": str(report)}
    environment.pop("MIRROR_TEST_ROWS", None)
    began = time.monotonic()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=tree, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=LIMIT)
            code = process.returncode
        except subprocess.TimeoutExpired:
            output, code = "", -1
        finally:
            _ended(process.pid)
    passed, failed = read(report)
    return _Run(code, passed, failed, time.monotonic() - began, output)


def _ended(group: int) -> None:
    """What a test has started and left, for it was ended itself."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _judged(run: _Run) -> Verdict:
    if run.code == -1:
        return Verdict(True, run.seconds, f"not over within {LIMIT} s")
    for one in run.failed:
        if one.kind not in ERRORS_OF_A_BREAK and "the server did not start" not in one.text:
            return Verdict(True, run.seconds, f"{one.node}: {one.kind}: {one.text}"[:200])
    if run.failed:
        one = run.failed[0]
        return Verdict(False, run.seconds, f"red for another reason: {one.node}: {one.kind}: {one.text}"[:300])
    return Verdict(False, run.seconds, f"all is green: {_last(run)}")


def _last(run: _Run) -> str:
    failed = [f"{one.node}: {one.kind}: {one.text}" for one in run.failed]
    return (failed or run.output.strip().splitlines() or ["nothing said"])[-1][:300]
