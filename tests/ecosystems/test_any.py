"""An `any` mirror asks the hosts on its list and no others, and knows the addresses of release assets."""

from __future__ import annotations

import pytest

from mirror.ecosystems import any as any_host
from mirror.errors import NotAllowed, OriginError, Refused, RequestError
from mirror.model import Headers, Mirror, Plan, Request
from mirror.reach import Reach

HOSTS = ("*.example.com", "upstream.test:8443", "[2001:db8::1]")
MIRROR = Mirror("get", "any", grace=5.0, keep=7.0, reach=Reach(HOSTS, private=False))
FORTY = "0123456789abcdef" * 2 + "01234567"


def planned(path: str, query: str = "", **fields: str) -> Plan:
    return any_host.plan(MIRROR, Request("GET", path, query, Headers.of(fields)))


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/https/files.example.com/a/b.iso", "https://files.example.com/a/b.iso"),
        ("/https/FILES.Example.com:443/a", "https://files.example.com/a"),
        ("/http/files.example.com", "http://files.example.com/"),
        ("/https/upstream.test:8443//x%2Fy", "https://upstream.test:8443//x%2Fy"),
    ],
)
def test_the_address_stands_in_the_path_and_has_one_spelling_of_its_host(path: str, url: str) -> None:
    plan = planned(path)
    assert plan.urls == (url,)
    assert plan.key == f"/get/{url.replace('://', '/')}"
    assert plan.follow


@pytest.mark.row(44, at="hosts and ports that are not on the list")
@pytest.mark.parametrize(
    "path",
    [
        "/https/example.com/a",
        "/https/example.com.evil.test/a",
        "/https/files.example.com:22/a",
        "/https/upstream.test/a",
        "/http/upstream.test:80/a",
        "/https/127.0.0.1/a",
        "/https/[::1]/a",
    ],
)
def test_hosts_and_ports_that_are_not_on_the_list_are_refused(path: str) -> None:
    with pytest.raises(Refused, match="allow"):
        planned(path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/https",
        "/https/",
        "/ftp/files.example.com/a",
        "/https/a@files.example.com/",
        "/https/x:y/",
        "/files",
        "/https/files.example.com/../x",
        "/http/[127.0.0.1]/x",
        "/http/[2130706433]:80/x",
    ],
)
def test_what_is_no_address_is_a_bad_request(path: str) -> None:
    with pytest.raises(RequestError):
        planned(path)


def test_it_is_read_only() -> None:
    with pytest.raises(NotAllowed):
        any_host.plan(MIRROR, Request("POST", "/https/files.example.com/a"))


@pytest.mark.parametrize(
    ("path", "ttl"),
    [
        ("/o/r/releases/download/v1.0/tool.tar.gz", 86400.0),
        ("/o/r/releases/latest/download/tool.tar.gz", 300.0),
        (f"/o/r/archive/{FORTY}.tar.gz", 30 * 86400.0),
        ("/o/r/archive/refs/tags/v1.0.zip", 30 * 86400.0),
        ("/o/r/archive/refs/heads/main.zip", 300.0),
    ],
)
def test_release_assets_have_a_lifetime_whatever_the_signed_address_says(path: str, ttl: float) -> None:
    plan = planned(f"/https/files.example.com{path}")
    assert (plan.rule.ttl, plan.rule.package, plan.rule.public) == (ttl, True, True)
    assert plan.check is not None
    with pytest.raises(OriginError, match="web page"):
        plan.check(b"<!DOCTYPE html>", Headers())


def test_all_else_obeys_its_origin() -> None:
    plan = planned("/https/files.example.com/pub/file", "v=1", Accept="*/*", Cookie="a=b", Authorization="Basic eA==")
    assert (plan.rule.ttl, plan.rule.package, plan.rule.grace, plan.rule.keep) == (None, False, 5.0, 7.0)
    assert plan.send == Headers((("accept", "*/*"), ("accept-encoding", "identity")))
    assert plan.urls == ("https://files.example.com/pub/file?v=1",)
