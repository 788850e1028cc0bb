"""Who has no right changes nothing: below `/-/`, by whatever field, form, page of another's, or name of a host."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import pytest

from mirror.rights import Role, Token, Tokens, digest
from tests.e2e.test_edge import hear, parts
from tests.instruments.server import Served, http_mirror, served

from .upstream import Upstream, answer, upstream

TOKEN = "right-" + "x" * 40
BODY = '{"urls": ["/o/kept"]}'
BADHOSTS = (
    "localhost/-/health?",
    "localhost/-/health?x=",
    "x/admin?",
    "x/-/ready#",
    "evil.test@localhost",
    "localhost:8000@evil.test",
    "localhost\\@evil.test",
    "localhost, evil.test",
    "localhost evil.test",
    "localhost/../-/health",
    "[::1",
    "localhost:99999999",
    "localhost%2f-%2fhealth",
)


@pytest.fixture(scope="module", params=["with a token", "without"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Upstream]]:
    admin = f'[admin]\ntoken = "{TOKEN}"\nreads = "token"\n' if request.param == "with a token" else ""
    with upstream() as origin:
        origin.says = {"/kept": answer(b"kept", "Cache-Control: max-age=86400")}
        with served(tmp_path_factory.mktemp("admin"), http_mirror(origin.url()) + admin) as server:
            yield server, origin
            assert "Traceback" not in server.log()
            assert TOKEN not in server.log()


def asked(server: Served, method: str, target: str, *fields: str, body: str = "") -> int:
    given = fields if any(field.lower().startswith("host:") for field in fields) else ("Host: localhost", *fields)
    length = (f"Content-Length: {len(body)}",) if body else ()
    head = "\r\n".join((f"{method} {target} HTTP/1.1", *given, *length, "Connection: close", "", ""))
    return parts(hear(server, head + body)[0])[0]


def kept(server: Served, origin: Upstream) -> bool:
    """Whether what was stored still is."""
    before = origin.requests("/kept")
    assert asked(server, "GET", "/o/kept") == 200
    return origin.requests("/kept") == before


ATTEMPTS = {
    "a form": ("Content-Type: application/x-www-form-urlencoded",),
    "a form of text": ("Content-Type: text/plain", "Origin: http://evil.test"),
    "a form with files": ("Content-Type: multipart/form-data; boundary=x",),
    "a page of another's": ("Content-Type: application/json", "Origin: http://evil.test", "Sec-Fetch-Site: cross-site"),
    "a frame without an origin": ("Content-Type: application/json", "Origin: null"),
    "a name that was rebound": ("Host: evil.test", "Content-Type: application/json", "Origin: http://evil.test"),
    "behind a proxy": ("Content-Type: application/json", "X-Forwarded-For: 192.0.2.1"),
    "behind another": ("Content-Type: application/json", "Forwarded: for=192.0.2.1"),
    "a wrong token": ("Content-Type: application/json", "Authorization: Bearer wrong", "Origin: http://evil.test"),
}


@pytest.mark.row(49)
@pytest.mark.parametrize("name", ATTEMPTS)
def test_who_has_no_right_purges_nothing(both: tuple[Served, Upstream], name: str) -> None:
    """Seen red: pages of other origins may purge; without a token any Host is believed to be ours; a form of a
    browser's is taken."""
    server, origin = both
    asked(server, "GET", "/o/kept")
    assert asked(server, "POST", "/-/api/purge", *ATTEMPTS[name], body=BODY) in (401, 403, 415)
    assert kept(server, origin)


@pytest.mark.row(49)
def test_what_is_only_asked_for_changes_nothing(both: tuple[Served, Upstream]) -> None:
    """No GET has an effect, whatever method it claims to stand for.

    Seen red: a GET purges.
    """
    server, origin = both
    asked(server, "GET", "/o/kept")
    for field in ("X-HTTP-Method-Override: POST", "X-HTTP-Method: PURGE", "X-Method-Override: PURGE"):
        for target in ("/-/api/purge?everything=true", "/-/api/purge?urls=/o/kept", "/o/kept?_method=PURGE", "/o/kept"):
            assert asked(server, "GET", target, field) in (200, 401, 404, 405)
    assert kept(server, origin)


@pytest.mark.row(49)
@pytest.mark.parametrize("host", BADHOSTS)
def test_a_host_field_opens_no_door(both: tuple[Served, Upstream], host: str) -> None:
    """BadHost: what is asked for stands in the path alone."""
    server, origin = both
    asked(server, "GET", "/o/kept")
    for method, target in (("POST", "/-/api/purge"), ("PURGE", "/o/kept")):
        kind = "Content-Type: application/json"
        status = asked(server, method, target, f"Host: {host}", kind, body=BODY * (method == "POST"))
        assert status in (400, 401, 403)
    assert kept(server, origin)


@pytest.mark.row(49)
def test_a_token_that_is_nearly_right_is_refused_as_fast_as_any() -> None:
    """A token is known by its hash: how much of it is right shows in no time."""
    tokens = Tokens([Token("", Role.ADMIN, digest(TOKEN))])
    assert tokens.find(TOKEN) is Role.ADMIN
    took = {}
    for name, token in {"nothing right": "y" * len(TOKEN), "all but one": TOKEN[:-1] + "y"}.items():
        samples = []
        for _ in range(2000):
            began = time.perf_counter()
            assert tokens.find(token) is None
            samples.append(time.perf_counter() - began)
        took[name] = statistics.median(samples)
    assert abs(took["nothing right"] - took["all but one"]) < 0.5 * max(took.values())
