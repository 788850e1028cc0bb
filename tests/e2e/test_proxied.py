"""Clients that take this server for their proxy: they get to the upstreams of its mirrors, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.server import Served, http_mirror, served

from .test_edge import asking, hear, parts

OBJECT = "/obj/a/1000?cc=max-age=3600"
OURS = "GET /o/obj/a/1000?cc=max-age=3600 HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    """A server, and the authority of its upstream: of this machine by a name that is not the server's own."""
    with origin_process() as origin:
        authority = upstream(origin)
        config = http_mirror(f"http://{authority}", mirror="allow_private = true")
        with served(tmp_path_factory.mktemp("proxied"), config) as server:
            yield server, authority


def upstream(origin: Abroad) -> str:
    return f"0.0.0.0:{origin.url('').rstrip('/').rpartition(':')[2]}"


def test_an_upstream_is_reached_and_is_the_mirror(both: tuple[Served, str]) -> None:
    server, authority = both
    status, fields, body = parts(hear(server, asking(f"http://{authority}{OBJECT}"))[0])
    assert (status, len(body)) == (200, 1000)
    again, fields, _ = parts(hear(server, asking(f"/o{OBJECT}"))[0])
    assert again == 200
    assert "hit" in fields["cache-status"]


@pytest.mark.row(49)
@pytest.mark.parametrize("method", ["GET", "POST", "PURGE"])
@pytest.mark.parametrize("path", ["/-/api/purge", "/-/health", "/-/api/openapi.json"])
def test_nobody_gets_to_the_admin_pages_in_an_upstream_s_name(both: tuple[Served, str], method: str, path: str) -> None:
    server, authority = both
    for host in (authority, "evil.test", f"localhost@{authority}", f"{authority}@localhost"):
        status, fields, _ = parts(hear(server, asking(f"http://{host}{path}", method=method))[0])
        if host == authority and method != "PURGE":
            assert "fwd=" in fields["cache-status"]  # it is the upstream's page
        else:
            assert status == 403


@pytest.mark.row(49)
def test_a_purge_in_an_upstream_s_name_is_refused(both: tuple[Served, str]) -> None:
    server, authority = both
    hear(server, asking(f"/o{OBJECT}"))
    assert parts(hear(server, asking(f"http://{authority}{OBJECT}", method="PURGE"))[0])[0] == 403
    assert "hit" in parts(hear(server, asking(f"/o{OBJECT}"))[0])[1]["cache-status"]


def test_a_tunnel_after_a_good_request_ends_the_connection(both: tuple[Served, str]) -> None:
    server, authority = both
    hear(server, asking(f"/o{OBJECT}"))
    tunnel = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
    got, reset = hear(server, OURS + tunnel + OURS)
    assert got.count(b"HTTP/1.1 ") == 2
    assert not reset
    assert parts(got)[0] == 200
    assert parts(parts(got)[2][1000:])[0] == 405


def test_what_is_no_path_of_an_upstream_is_refused(both: tuple[Served, str]) -> None:
    server, authority = both
    for target in (f"http://{authority}/../-/health", f"http://{authority}/%2e%2e/-/health", "http:///obj/a/1000"):
        assert parts(hear(server, asking(target))[0])[0] in (400, 403, 404)
