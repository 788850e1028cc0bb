"""Python packages: names, addresses, and where the page that knows a file is looked for."""

from __future__ import annotations

from math import inf

import pytest

from mirror.ecosystems import pypi
from mirror.errors import NotAllowed, NotFound, OriginError
from mirror.model import Headers, Mirror, Plan, Ready, Request

MIRROR = Mirror("pypi", "pypi", ("http://upstream.test/simple", "http://second.test/team/+simple"), grace=5.0, keep=7.0)
JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
PIP = f"{JSON}, {V1_HTML}; q=0.1, text/html; q=0.01"

WHEEL = "six-1.17.0-py2.py3-none-any.whl"
SDIST = "six-1.17.0.tar.gz"


def asked(
    path: str, query: str = "", method: str = "GET", accept: str | list[str] = "", mirror: Mirror = MIRROR
) -> Plan | Ready:
    lines = [accept] if isinstance(accept, str) else accept
    headers = Headers(tuple(("accept", line) for line in lines if line))
    return pypi.plan(mirror, Request(method, path, query, headers, "http://host:8000/pypi"))


def planned(path: str, query: str = "", accept: str | list[str] = "", mirror: Mirror = MIRROR) -> Plan:
    plan = asked(path, query, accept=accept, mirror=mirror)
    assert isinstance(plan, Plan)
    return plan


# names and addresses


@pytest.mark.parametrize("path", ["/simple/six", "/simple/Six/", "/simple/SIX", "/simple/%53ix/"])
def test_another_spelling_of_a_project_is_redirected_without_scheme_and_host(path: str) -> None:
    reply = asked(path, "format=x&y=1")
    assert isinstance(reply, Ready)
    assert (reply.status, reply.headers.get("location")) == (301, "/pypi/simple/six/?format=x&y=1")


def test_runs_of_dashes_dots_and_underscores_are_one_dash() -> None:
    reply = asked("/simple/Foo._-Bar.baz/", method="HEAD")
    assert isinstance(reply, Ready)
    assert reply.headers.get("location") == "/pypi/simple/foo-bar-baz/"


def test_the_list_of_projects_without_its_slash_is_redirected() -> None:
    reply = asked("/simple")
    assert isinstance(reply, Ready)
    assert reply.headers.get("location") == "/pypi/simple/"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/simple/-six/",
        "/simple/s%20ix/",
        "/simple/six_/",
        "/simple/six/x",
        "/files/",
        "/files/noversion.zip",
        "/legacy/",
        "/pypi/six",
        "/pypi/s$x/json",
        "/pypi/six/1/2/json",
        "/pypi/s$x/json/",
        "/integrity/six/1/x",
        "/integrity/s$x/1/x/provenance",
        "/six",
    ],
)
def test_what_cannot_exist_is_not_found_without_asking_upstream(path: str) -> None:
    with pytest.raises(NotFound):
        asked(path)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_uploaded(method: str) -> None:
    with pytest.raises(NotAllowed):
        asked("/simple/six/", method=method)


def test_a_page_is_asked_from_every_upstream_and_kept_by_the_mirrors_rule() -> None:
    plan = planned("/simple/six/", accept=PIP)
    assert plan.key == "/pypi/simple/six/"
    assert plan.urls == ("http://upstream.test/simple/six/", "http://second.test/team/+simple/six/")
    assert (plan.rule.ttl, plan.rule.grace, plan.rule.keep, plan.rule.negative_ttl) == (600.0, 5.0, 7.0, 60.0)
    assert (plan.slot, plan.tags) == ("simple/six", ("pypi:six",))
    assert plan.send.get("accept-encoding") == "gzip"
    quick = planned("/simple/six/", mirror=Mirror("pypi", "pypi", ("http://upstream.test/simple",), ttl=20.0))
    assert (quick.rule.ttl, quick.rule.negative_ttl) == (20.0, 20.0)


# files


@pytest.mark.parametrize(
    ("file", "projects"),
    [
        (WHEEL, ["six"]),
        (WHEEL + ".metadata", ["six"]),
        ("Foo_Bar.baz-1.0-1-py3-none-any.whl", ["foo-bar-baz"]),
        (SDIST, ["six"]),
        (SDIST + ".metadata", ["six"]),
        (WHEEL + ".asc", ["six"]),
        (SDIST + ".asc", ["six"]),
        ("foo-bar-1.0.zip", ["foo-bar", "foo"]),
        ("python-3-thing-1.0.tar.bz2", ["python", "python-3-thing", "python-3"]),
        ("a-b-c-d-e-1.0.tar.gz", ["a-b-c-d-e", "a", "a-b", "a-b-c"]),
        ("pkg-1.0-py2.7.egg", ["pkg", "pkg-1-0"]),
        ("pkg-1.0.win-amd64-py2.7.exe", ["pkg", "pkg-1-0-win", "pkg-1-0-win-amd64"]),
    ],
)
def test_the_pages_that_can_know_a_file_follow_from_its_name(file: str, projects: list[str]) -> None:
    plan = planned("/files/packages/b7/ce/" + file)
    assert plan.lookup is not None
    assert plan.lookup.name == "/files/packages/b7/ce/" + file
    assert plan.lookup.slots == tuple(f"simple/{project}" for project in projects)
    assert plan.lookup.documents == tuple(f"/simple/{project}/" for project in projects)
    assert plan.lookup.required
    assert plan.tags == (f"pypi:{projects[0]}",)


def test_a_file_is_immutable_comes_from_where_its_page_says_and_is_never_encoded() -> None:
    plan = planned("/files/packages/b7/ce/" + WHEEL)
    assert plan.key == "/pypi/files/packages/b7/ce/" + WHEEL
    assert plan.urls == ()
    assert (plan.rule.ttl, plan.rule.keep, plan.rule.negative_ttl) == (inf, inf, 10.0)
    assert plan.send.get("accept-encoding") == "identity"
    assert plan.content_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("file", "good", "bad"),
    [
        (WHEEL, b"PK\x03\x04", b"\x1f\x8b"),
        ("six-1.zip", b"PK\x03\x04", b""),
        (SDIST, b"\x1f\x8b\x08", b"PK"),
        (WHEEL + ".metadata", b"Metadata-Version: 2.1", b"<!doctype html>"),
        ("six-1.0.exe", b"MZ", b"<html><title>Log in"),
    ],
)
def test_what_does_not_begin_as_such_a_file_does_is_refused(file: str, good: bytes, bad: bytes) -> None:
    check = planned("/files/p/" + file).check
    assert check is not None
    check(good, Headers())
    with pytest.raises(OriginError):
        check(bad, Headers())


# the legacy JSON API


@pytest.mark.parametrize(
    ("path", "key"),
    [("/pypi/six/json", "/pypi/pypi/six/json"), ("/pypi/six/1.0%2Blocal/json", "/pypi/pypi/six/1.0+local/json")],
)
def test_the_legacy_document_hangs_beside_the_index(path: str, key: str) -> None:
    plan = planned(path)
    assert plan.key == key
    assert plan.urls == ("http://upstream.test" + key[5:], "http://second.test/team" + key[5:])
    assert plan.rule.ttl == 900.0


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/pypi/Six/json", "/pypi/pypi/six/json?x=1"),
        ("/pypi/six/json/", "/pypi/pypi/six/json?x=1"),
        ("/pypi/S_ix/1.0%2bl%20x/json/", "/pypi/pypi/s-ix/1.0+l%20x/json?x=1"),
    ],
)
def test_another_address_of_a_legacy_document_is_redirected_to_the_one(path: str, location: str) -> None:
    reply = asked(path, "x=1")
    assert isinstance(reply, Ready)
    assert (reply.status, reply.headers.get("location")) == (301, location)


def test_provenance_is_asked_beside_the_index_and_holds_for_an_hour() -> None:
    plan = planned(f"/integrity/Six/1.17.0/{WHEEL}/provenance")
    path = f"/integrity/six/1.17.0/{WHEEL}/provenance"
    assert plan.key == "/pypi" + path
    assert plan.urls == ("http://upstream.test" + path, "http://second.test/team" + path)
    assert (plan.rule.ttl, plan.rule.grace, plan.tags) == (3600.0, 5.0, ("pypi:six",))
    assert plan.send.get("accept") == "application/vnd.pypi.integrity.v1+json"
    assert plan.rewrite is None
    assert plan.check is not None
    with pytest.raises(OriginError):
        plan.check(b"<html>", Headers())


def test_the_legacy_document_depends_on_our_address_and_shares_no_facts_with_the_page() -> None:
    plan = planned("/pypi/six/json")
    assert plan.rewrite is not None
    assert "http://host:8000/pypi" in plan.rewrite.variant
    assert plan.slot != planned("/simple/six/").slot


def test_an_answer_of_another_type_is_refused_at_its_beginning() -> None:
    check = planned("/simple/six/").check
    assert check is not None
    check(b"{", Headers.of({"content-type": JSON}))
    with pytest.raises(OriginError):
        check(b"PK", Headers.of({"content-type": "application/zip"}))


def test_a_page_and_its_files_fit_together() -> None:
    plan = planned("/simple/six/")
    assert plan.facts is not None
    assert plan.rewrite is not None
    body = b'<a href="https://files.upstream.test/p/six-1.0+l&#246;cal 1&amp;2&#39;.zip">x</a>'
    (fact,) = plan.facts(body, Headers())
    assert fact.name == "/files/p/six-1.0+l%C3%B6cal%201&2'.zip"
    assert b'href="../../files/p/six-1.0+l%C3%B6cal%201&amp;2&#x27;.zip"' in plan.rewrite.apply(body, Headers()).body
    lookup = planned(fact.name).lookup
    assert lookup is not None
    assert lookup.name == fact.name
    assert plan.slot in lookup.slots


def test_relative_links_are_resolved_against_the_first_upstream() -> None:
    plan = planned("/simple/six/")
    assert plan.facts is not None
    (fact,) = plan.facts(b'<a href="../../p/six-1.zip">x</a>', Headers())
    assert fact.url == "http://upstream.test/p/six-1.zip"


def test_the_list_of_projects_holds_for_six_hours() -> None:
    plan = planned("/simple/", accept=PIP)
    assert (plan.urls[0], plan.rule.ttl, plan.slot) == ("http://upstream.test/simple/", 6 * 3600.0, "")
    assert plan.rewrite is not None
    listed = plan.rewrite.apply(b'<a href="/simple/six/">', Headers()).body
    assert listed == b'{"meta":{"api-version":"1.0"},"projects":[{"name":"six"}]}'
