"""A real server with a minimum age of a week and advisories of stolen releases; a test changes its clock and mode."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.instruments.server import Served
from tests.instruments.winding import Winder, wound
from tests.policy.builders import advisory

DAY = 86400.0
OLDER, NEWER = "1.0.0", "2.0.0"
"""The two versions of each package."""
AGES = {"stolen": 200.0, "nearly": 7 - 60 / DAY}
"""How many days old the newer one is, where that is not one day."""

_CONFIG = """
[cache]
min_free = "1MB"
[upstream]
retries = 0
[mirrors.m]
ecosystem = "{ecosystem}"
upstream = "{upstream}"
allow_private = true
"""
_POLICY = '[policy]\nmin_age = "7d"\nadvisories = "osv.json"\nmode = "{mode}"\n'


@dataclass(frozen=True, slots=True)
class Guard:
    """The mirror `/m` of a served mirror, before packages of which `steal` says whose NEWER is malicious."""

    server: Served
    clock: Winder

    def ago(self, days: float) -> str:
        """So many days before the mirror's now, as registries write it."""
        return datetime.fromtimestamp(self.clock() - days * DAY, UTC).isoformat().replace("+00:00", "Z")

    def mature(self) -> None:
        """What is a day old is more than a week old."""
        self.clock.wind(6.5 * DAY)

    def open(self) -> None:
        """The policy does not count."""
        self._become("off")

    def shut(self) -> None:
        """It counts."""
        self._become("enforce")

    def ask(self, path: str, method: str = "GET", body: str = "") -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            connection.request(method, path, body or None, {"content-type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def reason(self, path: str) -> str:
        """Why a client is not given what is there; it has to be refused by the policy."""
        status, body = self.ask(path)
        told: Any = json.loads(body)
        assert (status, told["title"]) == (403, "Blocked by mirror policy"), body
        said = told["detail"]
        assert isinstance(said, str)
        return said

    def store(self, path: str) -> None:
        """It is stored then, as if somebody had had it."""
        assert self.ask(path)[0] == 200

    def lose(self, path: str) -> None:
        """What is stored of it is stored no more."""
        status, told = self.ask("/-/api/purge", "POST", json.dumps({"urls": [path]}))
        assert (status, bool(json.loads(told)["purged"])) == (200, True), told

    def seen(self) -> int:
        """To be given to `refused`."""
        return len(self.server.log())

    def refused(self, path: str, since: int) -> None:
        """Waits until it is written down that a client has been refused that since then."""
        self.server.answered(f'"GET {path}" 403 ', since)

    def _become(self, mode: str) -> None:
        file = self.server.folder / "config.toml"
        file.write_text(file.read_text().split("[policy]")[0] + _POLICY.format(mode=mode))
        status, told = self.ask("/-/api/reload", "POST")
        assert status == 200, told
        self.ready()

    def ready(self) -> None:
        """Waits until the advisories are read, which it does behind its start."""
        deadline = time.monotonic() + 20
        while self.ask("/m/simple/nobody/")[0] == 503:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@contextmanager
def guarded(folder: Path, ecosystem: str, upstream: str, stolen: Iterable[str]) -> Iterator[Guard]:
    """`stolen`: of which packages NEWER is malicious."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {"pypi": "PyPI", "npm": "npm"}[ecosystem]
    told = [
        advisory(package, name=f"MAL-2026-{number}", ecosystem=named, versions=[NEWER])
        for number, package in enumerate(stolen, 1)
    ]
    (folder / "osv.json").write_text(json.dumps(told))
    config = _CONFIG.format(ecosystem=ecosystem, upstream=upstream) + _POLICY.format(mode="enforce")
    with wound(folder, config) as (server, clock):
        guard = Guard(server, clock)
        guard.ready()
        yield guard
        assert "Traceback" not in server.log()
