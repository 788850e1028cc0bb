"""Whether a vulnerability is known of what is released: `scripts/audit` runs this with the path of pip-audit.

Exit status 1 for a known vulnerability, or where pip-audit itself breaks; 0 for none, and where its database cannot be
reached, which is then said: no word of it means anything.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REQUIREMENTS = ("requirements/release.txt", "requirements/build.txt")
PATIENCE = 300.0
"""Seconds for one file."""

UNREACHED = ("requests.exceptions.", "ServiceError", "urllib3.exceptions.")
"""What an output of pip-audit ends with where nobody answered."""


def judged(report: dict[str, Any] | None, output: str) -> tuple[int, list[str]]:
    """Exit status and lines for what pip-audit has written (`report`, None: nothing) and said (`output`)."""
    if report is None:
        last = (output.strip().splitlines() or ["pip-audit says nothing"])[-1]
        if last.startswith(UNREACHED):
            return 0, [f"skipped: the database cannot be reached ({last.partition(':')[0]})"]
        return 1, [f"pip-audit: {last}"]
    known = [each for each in report["dependencies"] if "vulns" in each]
    if not known:
        return 0, ["skipped: what answers in place of the database knows none of the packages"]
    found = [line for each in known for line in _found(each)]
    unknown = len(report["dependencies"]) - len(known)
    looked = f"{len(known)} packages looked up" + (f", {unknown} not known there" if unknown else "")
    return int(bool(found)), [*found, f"{looked}: {len(found) or 'no'} known vulnerabilities"]


def _found(package: dict[str, Any]) -> Iterator[str]:
    for each in package["vulns"]:
        names = " ".join([each["id"], *each.get("aliases", [])])
        mended = ", ".join(each.get("fix_versions", [])) or "no version"
        yield f"{package['name']} {package['version']}: {names} (mended in {mended})"


def audited(program: str, requirements: str) -> tuple[int, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [program, "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
        command += ["--requirement", requirements, "--output", str(report)]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return 0, [f"skipped: no answer within {PATIENCE:.0f} s"]
        return judged(json.loads(report.read_text()) if report.exists() else None, done.stderr or done.stdout)


def main(program: str) -> int:
    worst = 0
    for requirements in REQUIREMENTS:
        code, lines = audited(program, requirements)
        worst = max(worst, code)
        print(*(f"{requirements}: {line}" for line in lines), sep="\n")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
