"""What is made of what pip-audit says: only a known vulnerability, or a pip-audit that breaks, is a failure."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reliability.audit import audited, judged

GOOD: dict[str, Any] = {"name": "a", "version": "1", "vulns": []}
BAD = {**GOOD, "name": "b", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"]}]}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


def test_a_known_vulnerability_fails_and_is_named_with_its_remedy() -> None:
    code, lines = judged({"dependencies": [GOOD, BAD, UNKNOWN]}, "Found 1 known vulnerability in 1 package")
    assert code == 1
    assert lines[0] == "b 1: PYSEC-1 CVE-1 (mended in 2)"
    assert "1 not known" in lines[1]


def test_none_is_said_with_the_number_of_packages() -> None:
    assert judged({"dependencies": [GOOD]}, "") == (0, ["1 packages looked up: no known vulnerabilities"])


@pytest.mark.parametrize(
    ("report", "output"),
    [
        (None, "Traceback\nrequests.exceptions.ProxyError: HTTPSConnectionPool(host='x'): Max retries exceeded"),
        ({"dependencies": [UNKNOWN]}, "No known vulnerabilities found"),
    ],
    ids=["nobody answers", "a registry that has no such database"],
)
def test_a_database_that_cannot_be_asked_is_a_skip_and_no_all_clear(report: Any, output: str) -> None:
    code, (line,) = judged(report, output)
    assert (code, line.partition(":")[0]) == (0, "skipped")
    assert "host=" not in line


def test_a_pip_audit_that_breaks_fails() -> None:
    assert judged(None, "error: unrecognized arguments: --x") == (1, ["pip-audit: error: unrecognized arguments: --x"])
    assert audited("/bin/false", "requirements/release.txt") == (1, ["pip-audit: pip-audit says nothing"])
