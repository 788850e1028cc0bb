"""npm packages: the spellings of a scope, the forms of a packument, tarballs through their packument, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
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
        ("/-/npm/v1/keys", "", "/-/npm/v1/keys", "/-/npm/v1/keys", 3600.0),
        ("/-/v1/search", "text=a&size=2", "/-/v1/search?text=a&size=2", "/-/v1/search?text=a&size=2", 60.0),
        ("/-/all", "", "/-/all", "/-/all", 60.0),
        *(
            (
                f"/-/npm/v1/attestations/{spelling}@1.0.0",
                "",
                "/-/npm/v1/attestations/@s/n@1.0.0",
                "/-/npm/v1/attestations/@s%2fn@1.0.0",
                86400.0,
            )
            for spelling in ("@s%2fn", "@s%2Fn", "@s/n")
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
        ("PUT", "/@s%2fn"),
        ("POST", "/six"),
        ("DELETE", "/six/-rev/1"),
        ("DELETE", "/six/-/six-1.0.0.tgz/-rev/1"),
        ("PUT", "/-/package/six/dist-tags/next"),
        ("POST", "/-/v1/login"),
        ("PUT", "/-/user/org.couchdb.user:x"),
        ("POST", "/-/npm/v1/tokens"),
        ("POST", "/-/npm/v1/user"),
        ("POST", "/-/npm/v1/oidc/token/exchange/package/six"),
        ("POST", "/-/package/six/trust"),
        ("POST", "/-/stage/package/six"),
        ("POST", "/-/npm/v1/security/other"),
        ("PUT", "/-/npm/v1/security/advisories/bulk"),
        ("OPTIONS", "/six"),
        ("GET", "/-/v1/login"),
        ("GET", "/-/v1/login/done/x"),
        ("GET", "/-/npm/v1/tokens"),
        ("GET", "/-/npm/v1/user"),
        ("GET", "/-/npm/v1/oidc/x"),
        ("GET", "/-/user/x"),
        ("GET", "/-/stage"),
        ("GET", "/-/stage/x"),
        ("GET", "/-/package/@s%2fn/trust"),
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


@pytest.mark.parametrize("scope", ["@s%2fn", "@s%2Fn", "@s/n"])
@pytest.mark.parametrize("path", ["/{}/1.0.0", "/{}/latest", "/-/package/{}/dist-tags"])
@pytest.mark.parametrize("accept", ["", CORGI])
def test_a_version_a_tag_and_the_tags_are_parts_of_the_full_packument(path: str, scope: str, accept: str) -> None:
    plan, whole = planned(path.format(scope), accept=accept), planned("/@s/n")
    assert replace(plan, rewrite=None, facts=None) == replace(whole, rewrite=None, facts=None)
    assert plan.rewrite is not None
    assert plan.rewrite.vary == "Accept-Encoding"


def test_what_is_made_of_one_packument_is_kept_apart() -> None:
    paths = ("/six", "/six/1.0.0", "/six/latest", "/-/package/six/dist-tags")
    variants = {plan.rewrite.variant for path in paths if (plan := planned(path)).rewrite}
    assert len(variants) == len(paths)
    assert all(OURS in variant for variant in variants - {"dist-tags"})


def test_a_tag_is_decoded_before_it_is_looked_up() -> None:
    rewrite = planned("/six/gr%C3%B6%C3%9Fe").rewrite
    assert rewrite is not None
    body = json.dumps({"name": "six", "dist-tags": {"größe": "1"}, "versions": {"1": {"a": 1}}}).encode()
    assert rewrite.apply(body, Headers()).body == b'{"a": 1}'


@pytest.mark.parametrize("accept", [CORGI, YARN])
def test_who_wants_the_short_form_gets_it_of_the_full_one_too(accept: str) -> None:
    body = json.dumps({"name": "six", "versions": {}, "readme": "long"}).encode()
    for asked_for, media_type, got in (
        (accept, "application/json", (CORGI, {"name": "six", "versions": {}})),
        ("", CORGI, (CORGI, json.loads(body))),
        ("", "application/json", ("application/json", json.loads(body))),
    ):
        rewrite = planned("/six", accept=asked_for).rewrite
        assert rewrite is not None
        made = rewrite.apply(body, Headers.of({"content-type": media_type}))
        assert (made.content_type, json.loads(made.body)) == got


def test_a_tarball_is_looked_up_in_the_short_form() -> None:
    lookup = planned("/six/-/six-1.0.0.tgz").lookup
    assert lookup is not None
    assert planned(lookup.documents[0], accept=lookup.accept).key == "/npm/six abbrev"


@pytest.mark.parametrize("path", ["/six", "/six/1.0.0", "/six/-/six-1.0.0.tgz", "/-/npm/v1/keys", "/-/v1/search"])
def test_what_the_origin_has_not_is_said_in_json(path: str) -> None:
    missing = planned(path).missing
    assert missing is not None
    assert json.loads(missing.body) == {"error": "Not found"}
    assert missing.headers.get("content-type") == "application/json"
