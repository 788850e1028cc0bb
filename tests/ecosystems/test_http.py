"""An `http` mirror passes on what it is given, and refuses what could reach another place than the one asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirror.ecosystems import PLANNERS, http
from mirror.errors import NotAllowed, RequestError
from mirror.model import Headers, Mirror, Plan, Ready, Request, Rule

MIRROR = Mirror("get", "http", ("http://upstream.test/top", "http://second.test"), grace=5.0, keep=7.0)


def planned(path: str, query: str = "", **headers: str) -> Plan:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    plan = http.plan(MIRROR, Request("GET", path, query, Headers.of(fields)))
    assert isinstance(plan, Plan)
    return plan


def test_path_and_query_reach_every_upstream_as_they_were_sent() -> None:
    plan = planned("/a//b%2Fc/%e9/", "x=1&y=%20")
    assert plan.key == "/get/a//b%2Fc/%e9/?x=1&y=%20"
    assert plan.urls == (
        "http://upstream.test/top/a//b%2Fc/%e9/?x=1&y=%20",
        "http://second.test/a//b%2Fc/%e9/?x=1&y=%20",
    )


def test_keys_differ_wherever_paths_or_queries_differ() -> None:
    asked = [("/a", ""), ("/a/", ""), ("//a", ""), ("/%61", ""), ("/a", "b"), ("/a%3Fb", ""), ("/a", "b="), ("/A", "")]
    assert len({planned(path, query).key for path, query in asked}) == len(asked)


def test_the_origin_says_how_long_an_answer_holds_unless_the_mirror_does() -> None:
    assert planned("/a").rule == Rule(ttl=None, grace=5.0, keep=7.0)
    fixed = Mirror("get", "http", ("http://upstream.test",), ttl=60.0)
    assert http.plan(fixed, Request("GET", "/a")).rule.ttl == 60.0


def test_end_to_end_fields_are_sent_and_all_others_are_not() -> None:
    plan = planned(
        "/a",
        accept="text/html",
        accept_language="de",
        accept_encoding="gzip, br",
        user_agent="curl/8",
        x_custom="kept",
        connection="close, X-Hop",
        x_hop="1",
        keep_alive="5",
        te="trailers",
        transfer_encoding="chunked",
        upgrade="h2c",
        proxy_authorization="x",
        range="bytes=0-1",
        if_none_match='"x"',
        if_range='"x"',
        host="mirror",
        cookie="a=b",
        authorization="Basic eA==",
    )
    kept = {"accept", "accept-language", "accept-encoding", "user-agent", "x-custom", "via"}
    assert {name for name, _ in plan.send} == kept
    assert plan.send.get("accept-encoding") == "gzip, br"


@pytest.mark.parametrize(
    "name", ["X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-URL", "X-HTTP-Method-Override"]
)
def test_fields_that_make_an_origin_answer_for_another_address_are_not_sent(name: str) -> None:
    assert name.lower() not in http.plan(MIRROR, Request("GET", "/a", headers=Headers.of({name: "evil"}))).send


def test_repeated_fields_are_sent_as_they_came() -> None:
    lines = Headers((("accept", "a/b"), ("accept", "c/d")))
    assert http.plan(MIRROR, Request("HEAD", "/a", headers=lines)).send.all("accept") == ["a/b", "c/d"]


@pytest.mark.parametrize("path", ["/../x", "/a/%2e%2e/b", "/a%00", "a", "/a b"])
def test_unsafe_paths_are_refused(path: str) -> None:
    with pytest.raises(RequestError):
        planned(path)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "M-SEARCH", "QUERY"])
def test_every_method_has_a_plan(method: str) -> None:
    assert isinstance(http.plan(MIRROR, Request(method, "/a")), Plan)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_tunnels_and_echoes_are_not_allowed(method: str) -> None:
    with pytest.raises(NotAllowed):
        http.plan(MIRROR, Request(method, "/a"))


def test_the_last_hop_that_max_forwards_allows_answers_itself() -> None:
    def options(left: str) -> Plan | Ready:
        return http.plan(MIRROR, Request("OPTIONS", "/a", headers=Headers.of({"Max-Forwards": left})))

    assert isinstance(options("0"), Ready)
    further = options("3")
    assert isinstance(further, Plan)
    assert further.send.get("max-forwards") == "2"


class TestCredentials:
    """A client's are for one origin, and go nowhere where the mirror is told so, or has credentials of its own."""

    ASKED = Request("GET", "/a", headers=Headers.of({"Authorization": "Basic eA==", "Cookie": "a=b"}))

    def test_they_are_sent_to_the_first_upstream_alone(self) -> None:
        sent = http.plan(replace(MIRROR, client_auth=True), self.ASKED)
        assert isinstance(sent, Plan)
        assert (sent.send.get("authorization"), sent.send.get("cookie")) == ("Basic eA==", "a=b")
        assert sent.urls == ("http://upstream.test/top/a",)

    def test_they_are_not_sent_where_the_mirror_says_so(self) -> None:
        sent = http.plan(MIRROR, self.ASKED)
        assert isinstance(sent, Plan)
        assert not {"authorization", "cookie"} & {name for name, _ in sent.send}
        assert len(sent.urls) == 2

    def test_the_mirrors_own_take_their_place(self) -> None:
        own = replace(MIRROR, client_auth=True, auth=("Authorization", "Bearer ours"))
        sent = http.plan(own, self.ASKED)
        assert isinstance(sent, Plan)
        assert "authorization" not in sent.send


def test_every_ecosystem_is_listed_and_refuses_what_escapes() -> None:
    assert set(PLANNERS) == {"http", "any", "pypi", "npm", "apt"}
    for ecosystem, plan in PLANNERS.items():
        with pytest.raises(RequestError):
            plan(Mirror(ecosystem, ecosystem, ("http://upstream.test/simple",)), Request("GET", "/a/%2e%2e/%2e%2e/etc"))
