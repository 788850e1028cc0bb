"""Runs tests in copies of the tree, whole or broken, and judges whether they failed for what was broken."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.breaks import Break
from tests.reliability.failing import ERRORS_OF_A_BREAK, Failed, read

SECONDS = 60
"""For one test; a test's own marker counts more."""

LIMIT = 240
"""Seconds for one run of a broken tree."""

WHOLE_LIMIT = 3600
"""Seconds for the run of all tests in the whole one."""

_PLUGINS = ("pytest_asyncio.plugin", "pytest_timeout", "tests.reliability.failing")
"""Those that these tests need: to load all that are installed takes longer than most of the tests."""

_LEFT = (".git", ".venv", ".*_cache", "__pycache__", ".hypothesis", "node_modules", "cache", "site", "dist")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a break was seen, how many seconds the broken run took, and who noticed it, or why nobody did."""

    red: bool
    seconds: float
    said: str


@dataclass(frozen=True, slots=True)
class Run:
    """What pytest did in one tree. `code`: its exit status, -1 where it took too long."""

    code: int
    passed: frozenset[str]
    failed: tuple[Failed, ...]
    seconds: float
    output: str


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a whole copy of the tree, and what the tests said of that."""

    folder: Path
    whole: Run

    @staticmethod
    @contextmanager
    def made(root: Path, breaks: Iterable[Break]) -> Iterator[Place]:
        """Runs all tests of these breaks in the whole tree."""
        with tempfile.TemporaryDirectory(prefix="breaks-") as folder:
            tree = _copied(root, Path(folder) / "whole")
            tests = tuple(dict.fromkeys(test for each in breaks for test in each.tests))
            yield Place(Path(folder), _run(tree, tests, WHOLE_LIMIT))

    def tried(self, each: Break) -> Verdict:
        """The tests of a break, in a broken tree."""
        if why := self._unfit(each):
            return Verdict(False, 0.0, why)
        tree = _copied(self.folder / "whole", self.folder / "broken")
        try:
            for change in each.changes:
                (tree / "mirror" / change.file).write_text(change.applied(tree))
            if nonsense := _nonsense(tree, [change.file for change in each.changes]):
                return Verdict(False, 0.0, f"it is no program any more: {nonsense}")
            return judged(_run(tree, each.tests, LIMIT, "-x"))
        finally:
            shutil.rmtree(tree)

    def _unfit(self, each: Break) -> str:
        """Why the tests of a break show nothing: they are red, or did not run, where nothing is broken."""
        for test in each.tests:
            if red := next((one for one in self.whole.failed if _is_of(one.node, test)), None):
                return f"red before anything is broken: {red.node}: {red.kind}: {red.text}"[:300]
            if not any(_is_of(node, test) for node in self.whole.passed):
                return f"not run here: {test} ({_last(self.whole)})"[:300]
        return ""


def _is_of(node: str, test: str) -> bool:
    """Whether a node is this test, or a case of it, or stands in this class or file."""
    return node == test or node.startswith((f"{test}[", f"{test}::"))


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


def _run(tree: Path, tests: tuple[str, ...], limit: float, *more: str) -> Run:
    report = tree / "failed.jsonl"
    report.unlink(missing_ok=True)
    options = ["-q", "--tb=line", "--no-header", f"--timeout={SECONDS}", "-p", "no:cacheprovider"]
    options += [word for plugin in _PLUGINS for word in ("-p", plugin)]
    command = [sys.executable, "-m", "pytest", *options, *more, *tests]
    environment = os.environ | {"PYTHONPATH": str(tree), "MIRROR_TEST_FAILED": str(report)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    environment.pop("MIRROR_TEST_ROWS", None)
    began = time.monotonic()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=tree, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=limit)
            code = process.returncode
        except subprocess.TimeoutExpired:
            output, code = "", -1
        finally:
            _ended(process.pid)
    passed, failed = read(report)
    return Run(code, passed, failed, time.monotonic() - began, output)


def _ended(group: int) -> None:
    """What a test has started and left, for it was ended itself."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def judged(run: Run) -> Verdict:
    """Whether a run in a broken tree shows that the tests notice it."""
    if run.code == -1:
        return Verdict(True, run.seconds, f"not over within {LIMIT} s")
    for one in run.failed:
        if one.kind not in ERRORS_OF_A_BREAK and "the server did not start" not in one.text:
            return Verdict(True, run.seconds, f"{one.node}: {one.kind}: {one.text}"[:200])
    if run.failed:
        one = run.failed[0]
        return Verdict(False, run.seconds, f"red for another reason: {one.node}: {one.kind}: {one.text}"[:300])
    return Verdict(False, run.seconds, f"all is green: {_last(run)}")


def _last(run: Run) -> str:
    return (run.output.strip().splitlines() or ["nothing said"])[-1][:200]
