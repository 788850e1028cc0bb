"""What npm posts to be audited: passed on, without who asks, within a bound."""

from __future__ import annotations

import pytest

from mirror.ecosystems import npm
from mirror.errors import NotFound, TooLarge
from mirror.model import Headers, Mirror, Plan, Ready, Request

MIRROR = Mirror("npm", "npm", ("http://upstream.test", "http://second.test/npm"))
OURS = "http://host:8000/npm"
AUDITS = ["advisories/bulk", "audits/quick", "audits"]


@pytest.mark.parametrize("name", AUDITS)
def test_what_is_audited_is_passed_on_without_who_asks(name: str) -> None:
    fields = {
        "content-type": "application/json",
        "content-encoding": "gzip",
        "authorization": "Bearer secret",
        "cookie": "a=b",
        "npm-session": "x",
        "accept-encoding": "gzip",
    }
    path = f"/-/npm/v1/security/{name}"
    plan = npm.plan(MIRROR, Request("POST", path, "", Headers.of(fields), OURS))
    assert isinstance(plan, Plan)
    assert plan.urls == (f"http://upstream.test{path}", f"http://second.test/npm{path}")
    assert sorted(plan.send) == [
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("content-encoding", "gzip"),
        ("content-type", "application/json"),
    ]
    assert (plan.rule.store, plan.rule.package, plan.rewrite, plan.check) == (False, True, None, None)


@pytest.mark.parametrize("name", AUDITS)
def test_what_is_audited_has_a_bound(name: str) -> None:
    def sent(length: str) -> Plan | Ready:
        headers = Headers.of({"content-length": length})
        return npm.plan(MIRROR, Request("POST", f"/-/npm/v1/security/{name}", "", headers, OURS))

    assert isinstance(sent("16777216"), Plan)
    with pytest.raises(TooLarge) as error:
        sent("16777217")
    assert error.value.status == 413


@pytest.mark.parametrize("name", AUDITS)
def test_an_audit_is_posted(name: str) -> None:
    with pytest.raises(NotFound):
        npm.plan(MIRROR, Request("GET", f"/-/npm/v1/security/{name}", "", Headers(), OURS))
