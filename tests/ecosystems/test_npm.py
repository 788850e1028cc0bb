"""npm packages: the spellings of a scope, the forms of a packument, tarballs through their packument, refusals."""

from __future__ import annotations

import json
from math import inf

import pytest

from mirror.ecosystems import npm
from mirror.errors import NotFound, OriginError
from mirror.model import Headers, Mirror, Plan, Ready, Request

MIRROR = Mirror("npm", "npm", ("http://upstream.test", "http://second.test/npm"), grace=5.0, keep=7.0)
CORGI = "application/vnd.npm.install-v1+json"
YARN = f"{CORGI}; q=1.0, application/json; q=0.8, */*"
OURS = "http://host:8000/npm"


def asked(path: str, query: str = "", method: str = "GET", accept: str = "") -> Plan | Ready:
    headers = Headers((("accept", accept),) if accept else ())
    return npm.plan(MIRROR, Request(method, path, query, headers, OURS))


def planned(path: str, query: str = "", accept: str = "") -> Plan:
    plan = asked(path, query, accept=accept)
    assert isinstance(plan, Plan)
    return plan


@pytest.mark.parametrize("path", ["/@scope%2fname", "/@scope%2Fname", "/@scope/name", "/%40scope%2fname"])
def test_every_spelling_of_a_scope_is_one_package(path: str) -> None:
    plan = planned(path)
    assert plan.key == "/npm/@scope/name full"
    assert plan.urls == ("http://upstream.test/@scope%2fname", "http://second.test/npm/@scope%2fname")
    assert (plan.slot, plan.tags) == ("@scope/name", ("npm:@scope/name",))
    assert (plan.rule.ttl, plan.rule.grace, plan.rule.keep, plan.rule.negative_ttl) == (300.0, 5.0, 7.0, 60.0)


@pytest.mark.parametrize(
    ("accept", "variant"),
    [
        ("", "full"),
        ("*/*", "full"),
        ("application/json", "full"),
        (YARN, "abbrev"),
        (CORGI, "abbrev"),
        (f"{CORGI}, application/json", "abbrev"),
        (f"{CORGI};q=0.5, application/json", "full"),
        (f"{CORGI};q=0", "full"),
        (f"{CORGI};q=0.5, */*", "full"),
    ],
)
def test_the_form_follows_the_accept_field(accept: str, variant: str) -> None:
    plan = planned("/six", accept=accept)
    assert plan.key == f"/npm/six {variant}"
    assert (plan.send.get("accept") or "").startswith(CORGI if variant == "abbrev" else "application/json")


def test_both_forms_of_a_packument_give_facts_of_the_same_package() -> None:
    assert planned("/six", accept=YARN).slot == planned("/six").slot == "six"


@pytest.mark.parametrize(
    "path", ["/@scope%2fname/-/n-1.0.0.tgz", "/@scope%2Fname/-/n-1.0.0.tgz", "/@scope/name/-/n-1.0.0.tgz"]
)
def test_a_tarball_is_found_through_its_packument(path: str) -> None:
    plan = planned(path, accept=YARN)
    assert plan.key == "/npm/@scope/name/-/n-1.0.0.tgz"
    assert plan.urls == ()
    assert (plan.rule.ttl, plan.send.get("accept-encoding")) == (inf, "identity")
    assert plan.lookup is not None
    assert plan.lookup.name == "/@scope/name/-/n-1.0.0.tgz"
    assert (plan.lookup.slots, plan.lookup.documents) == (("@scope/name",), ("/@scope/name",))
    assert plan.lookup.required


@pytest.mark.parametrize(
    ("path", "query", "key", "url", "ttl"),
    [
        ("/-/package/six/dist-tags", "", "/-/package/six/dist-tags", "/-/package/six/dist-tags", 300.0),
        ("/-/package/@s%2Fn/dist-tags", "x=1", "/-/package/@s/n/dist-tags", "/-/package/@s%2fn/dist-tags", 300.0),
        ("/-/npm/v1/keys", "", "/-/npm/v1/keys", "/-/npm/v1/keys", 3600.0),
        ("/-/v1/search", "text=a&size=2", "/-/v1/search?text=a&size=2", "/-/v1/search?text=a&size=2", 60.0),
        (
            "/-/npm/v1/attestations/@s%2fn@1.0.0",
            "",
            "/-/npm/v1/attestations/@s/n@1.0.0",
            "/-/npm/v1/attestations/@s%2fn@1.0.0",
            86400.0,
        ),
    ],
)
def test_the_registrys_own_documents_are_kept_for_a_while(
    path: str, query: str, key: str, url: str, ttl: float
) -> None:
    plan = planned(path, query)
    assert (plan.key, plan.urls[0], plan.rule.ttl) == ("/npm" + key, "http://upstream.test" + url, ttl)
    assert plan.send.get("accept-encoding") == "identity"
    assert plan.rewrite is None


def test_a_ping_is_answered_here() -> None:
    reply = asked("/-/ping")
    assert isinstance(reply, Ready)
    assert (reply.status, reply.body) == (200, b"{}")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/six"),
        ("DELETE", "/six/-rev/1"),
        ("POST", "/-/v1/login"),
        ("PUT", "/-/user/org.couchdb.user:x"),
        ("POST", "/-/npm/v1/security/advisories/bulk"),
        ("GET", "/-/v1/login"),
        ("GET", "/-/npm/v1/tokens"),
        ("GET", "/-/user/x"),
    ],
)
def test_writing_and_logging_in_are_refused_as_npm_prints_it(method: str, path: str) -> None:
    reply = asked(path, method=method)
    assert isinstance(reply, Ready)
    assert (reply.status, json.loads(reply.body)) == (405, {"error": "read-only mirror"})
    assert (reply.headers.get("content-type"), reply.headers.get("allow")) == ("application/json", "GET, HEAD")


def test_nobody_is_logged_in() -> None:
    reply = asked("/-/whoami")
    assert isinstance(reply, Ready)
    assert reply.status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/@scope",
        "/@scope/",
        "/.hidden",
        "/a%20b",
        "/six/",
        "/six/-/",
        "/six/-",
        "/six/1/2",
        "/-/other",
        "/@a/b/c/d/e",
    ],
)
def test_what_cannot_exist_is_not_found_without_asking_upstream(path: str) -> None:
    with pytest.raises(NotFound):
        asked(path)


def test_a_web_page_is_no_tarball() -> None:
    check = planned("/six/-/six-1.0.0.tgz").check
    assert check is not None
    check(b"\x1f\x8b\x08", Headers.of({"content-type": "application/x-gzip"}))
    with pytest.raises(OriginError):
        check(b"<html>", Headers())


def test_a_packument_depends_on_our_address_and_its_facts_name_our_tarballs() -> None:
    plan = planned("/@scope%2fname", accept=YARN)
    assert plan.rewrite is not None
    assert plan.facts is not None
    assert (OURS in plan.rewrite.variant, plan.rewrite.vary) == (True, "Accept")
    dist = {"tarball": "https://cdn.upstream.test/x/n%2B1-1.0.0.tgz"}
    body = json.dumps({"name": "@scope/name", "versions": {"1.0.0": {"dist": dist}}}).encode()
    (fact,) = plan.facts(body, Headers())
    assert (OURS + fact.name).encode() in plan.rewrite.apply(body, Headers()).body
    lookup = planned(fact.name).lookup
    assert lookup is not None
    assert lookup.name == fact.name


def test_a_manifest_has_one_form_and_no_facts() -> None:
    plan = planned("/@scope%2fname/1.0.0")
    assert (plan.key, plan.urls[0]) == ("/npm/@scope/name/1.0.0", "http://upstream.test/@scope%2fname/1.0.0")
    assert (plan.slot, plan.facts) == ("", None)
    assert plan.rewrite is not None
    assert OURS in plan.rewrite.variant
