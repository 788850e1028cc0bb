"""A server that is played: the admin API's answers as a test has them, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from mirror.cli import main, options
from mirror.client import Client, Server

Answer = Callable[[dict[str, Any]], Any]


class Played:
    """`answers`: by `METHOD path`, the JSON, or what makes it of the request's body (or its query). `run` is the
    command line: exit code, standard output and standard error."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._capsys = capsys
        transport = httpx.MockTransport(self._answer)
        patch.setattr(options, "client", lambda _: Client(Server("http://mirror.test"), transport))
        patch.setattr("time.sleep", lambda _: None)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for asked, body in self.asked if asked == path]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = f"{request.method} {request.url.path}"
        sent = json.loads(request.content) if request.content else dict(request.url.params)
        self.asked.append((path, sent))
        if path not in self.answers:
            return httpx.Response(404, json={"detail": f"{path} is not there"})
        found = self.answers[path]
        told = found(sent) if callable(found) else found
        return told if isinstance(told, httpx.Response) else httpx.Response(200, json=told)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Played:
    return Played(monkeypatch, capsys)


def job(state: str = "done", done: int = 2, **more: Any) -> dict[str, Any]:
    """A JOB as the API has it."""
    usual = {"id": "j1", "kind": "warm", "began": 1.0, "ended": None if state == "running" else 3.0, "total": 2}
    usual |= {"bytes": 1000, "failed": 0, "current": "", "error": "", "result": None, "failures": []}
    return usual | {"state": state, "done": done} | more
