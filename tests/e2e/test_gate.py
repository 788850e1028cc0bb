"""A real server with a policy, one process and several: what is denied while it runs is denied at once, hot or not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.instruments.python_index import PythonIndex, python_index
from tests.instruments.python_packages import File
from tests.instruments.server import Served, served
from tests.policy.builders import advisory


@dataclass
class Guarded:
    """A server in front of an index with one old wheel of `gated`."""

    server: Served
    index: PythonIndex
    file: File

    @property
    def path(self) -> str:
        return f"/pypi/files{self.file.path}"

    def ask(self, method: str, path: str, body: str = "") -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            fields = {"content-type": "application/json"} if body else {}
            connection.request(method, path, body or None, fields)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def heat(self) -> None:
        """Every process has the file ready for whoever asks again."""
        deadline = time.monotonic() + 20
        while self.ask("GET", self.path)[0] == 503:  # the advisories are read behind the start
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for _ in range(30):
            status, text = self.ask("GET", self.path)
            assert status == 200, text[:500].decode("latin-1")
            assert text == self.file.body

    def become(self, policy: str) -> None:
        file = self.server.folder / "config.toml"
        file.write_text(file.read_text().split("[policy]")[0] + f"[policy]\n{policy}\n")
        status, told = self.ask("POST", "/-/api/reload")
        assert status == 200, told

    def refused(self, rule: str) -> None:
        for _ in range(12):
            status, text = self.ask("GET", self.path)
            told: Any = json.loads(text)
            assert (status, told["title"]) == (403, "Blocked by mirror policy")
            assert rule in told["detail"]
        assert self.ask("GET", f"{self.path}.metadata")[0] == 403
        assert self.file.name.encode() not in self.ask("GET", "/pypi/simple/gated/")[1]


@pytest.fixture(params=[1, 3])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "osv.json").write_text("[]")
    with python_index("real", filled=False) as index:
        _, file = index.single("gated")
        config = f"""
[cache]
min_free = "1MB"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{index.simple}"
allow_private = true
[policy]
min_age = "7d"
advisories = "osv.json"
"""
        with served(tmp_path / "server", config, workers=request.param) as server:
            yield Guarded(server, index, file)


def test_a_policy_that_is_loaded_while_it_runs_holds_for_what_is_hot(guarded: Guarded) -> None:
    """PROTOCOLS G.7."""
    guarded.heat()
    guarded.become('[[policy.deny]]\npackages = ["gated"]\nreason = "not in this house"')
    guarded.refused("not in this house")
    guarded.become('min_age = "7d"')
    guarded.heat()


def test_an_advisory_that_is_loaded_while_it_runs_does(guarded: Guarded) -> None:
    guarded.heat()
    told = [advisory("gated", name="MAL-2026-7", versions=["1.0"])]
    (guarded.server.folder / "osv.json").write_text(json.dumps(told))
    guarded.become('min_age = "7d"\nadvisories = "osv.json"')
    guarded.refused("MAL-2026-7")


def test_the_advisories_are_read_when_it_starts(guarded: Guarded) -> None:
    guarded.server.stop()
    told = [advisory("gated", name="MAL-2026-7", versions=["1.0"]), {"not": "one"}]
    (guarded.server.folder / "osv.json").write_text(json.dumps(told))
    guarded.server.start()
    assert guarded.ask("GET", guarded.path)[0] in (403, 503)
    deadline = time.monotonic() + 20
    while guarded.ask("GET", guarded.path)[0] == 503:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    guarded.refused("MAL-2026-7")
    assert "advisories: document 1: no advisory" in guarded.server.log_since_start()


def test_what_is_held_is_listed_and_explained(guarded: Guarded) -> None:
    guarded.heat()
    guarded.become('[[policy.deny]]\npackages = ["gated"]\nreason = "not in this house"')
    status, text = guarded.ask("GET", "/-/api/held?mirror=pypi")
    told: Any = json.loads(text)
    (held,) = told["held"]
    assert (status, held["rule"], held["address"], held["until"]) == (200, "deny", guarded.path, None)
    _, text = guarded.ask("GET", f"/-/api/explain?url={guarded.path}")
    explained: Any = json.loads(text)
    assert explained["policy"]["rule"] == "deny"
    assert "not in this house" in explained["error"]
