"""The description of the admin API and what a running server answers are the same: no error of its own, no status, no
type and no shape that is not described, whatever is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.instruments.origin import origin_process
from tests.instruments.server import Served, http_mirror, served

EXAMPLES = 10
"""Of each operation, that are as described, and as many that are not."""

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]

ENDLESS = "text/event-stream"

NO_REQUEST = (414, 431)
"""What the server says before anybody looks for a route."""


def ask(server: Served, method: str, path: str) -> tuple[int, bytes]:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """It has a mirror of an origin on this machine, and some entries."""
    with origin_process() as origin, served(tmp_path_factory.mktemp("served"), http_mirror(origin.url())) as running:
        for name in "abc":
            assert ask(running, "GET", f"/o/obj/{name}/1000?cc=max-age=3600")[0] == 200
        yield running


def described(server: Served) -> dict[str, Any]:
    status, body = ask(server, "GET", "/-/api/openapi.json")
    assert status == 200
    description: dict[str, Any] = json.loads(body)
    return description


def endless(operation: Any) -> bool:
    responses = operation.definition.raw.get("responses", {}).values()
    return operation.path.endswith("/events") or any(ENDLESS in response.get("content", {}) for response in responses)


def stop_jobs(server: Served) -> None:
    """What one operation has begun is nothing that the next one has to wait for."""
    for job in json.loads(ask(server, "GET", "/-/api/jobs")[1])["jobs"]:
        if job["state"] == "running":
            ask(server, "DELETE", f"/-/api/jobs/{job['id']}")


def probe(server: Served, operation: Any, mode: GenerationMode) -> None:
    """Ask so, and see whether the answer is as described."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
        deadline=None,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def asked(case: Case) -> None:
        response = case.call(base_url=server.address, timeout=20)
        assert response.status_code != 500, response.text
        if response.status_code not in NO_REQUEST:
            case.validate_response(response, checks=CHECKS)

    asked()


@pytest.mark.row(49, 53, at="the admin API: 20 random requests of each operation")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_the_description_has(server: Served, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(described(server))
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 5
    for operation in operations:
        if endless(operation):
            continue
        try:
            probe(server, operation, mode)
        except Exception as exc:
            if "Unsatisfiable" in type(exc).__name__:  # nothing can be wrong about it
                continue
            raise
        stop_jobs(server)
    assert ask(server, "GET", "/-/health")[0] == 200
    assert "Traceback" not in server.log()


def test_what_is_wrong_is_described_as_the_status_that_it_gets(server: Served) -> None:
    for path, operations in described(server)["paths"].items():
        for method, operation in operations.items():
            assert "422" not in operation["responses"], (method, path)
            if path.startswith("/-/api"):
                assert {"400", "401", "403"} <= set(operation["responses"]), (method, path)
