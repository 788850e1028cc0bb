"""Two users of one mirror: what an upstream gives to one of them is not the other's, nor is it on disk."""

from __future__ import annotations

import itertools
import re
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.test_edge import asking, hear, parts
from tests.instruments.server import Served, served

from .upstream import Said, Upstream, answer, upstream

CONFIG = """
[cache]
min_free = "1MB"
[upstream]
retries = 0
[log]
level = "debug"
[mirrors.o]
ecosystem = "http"
upstream = "{0}"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{0}/simple"
[mirrors.npm]
ecosystem = "npm"
upstream = "{0}/npm"
"""
ALICE, BOB = "canary-alice", "canary-bob"
SENT = {
    "bearer": "Authorization: Bearer {0}",
    "basic": "Authorization: Basic {0}",
    "cookie": "Cookie: session={0}",
    "both": "Authorization: Bearer {0}\r\nCookie: session={0}",
}
TOLD = {
    "nothing": (),
    "private": ("Cache-Control: private, max-age=3600",),
    "private cookie": ("Cache-Control: private, max-age=3600", "Set-Cookie: session={0}; Path=/"),
    "no-store": ("Cache-Control: no-store", "Set-Cookie: session={0}"),
    "a cookie and no lifetime": ("Set-Cookie: session={0}",),
    "max-age": ("Cache-Control: max-age=3600", "X-User: {0}"),
    "varying": ("Cache-Control: max-age=3600, private", "Vary: Cookie, Authorization"),
    "varying by all": ("Cache-Control: max-age=3600", "Vary: *", "Set-Cookie: session={0}"),
}
# A cookie alone makes nothing private (RFC 9111 §3, RFC 6265 §3): an upstream that says max-age means it for all.
PUBLIC_BY_COOKIE = {("cookie", "max-age")}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Upstream]]:
    with upstream() as origin:
        config = CONFIG.format(origin.url(), origin.port)
        with served(tmp_path_factory.mktemp("users"), config) as server:
            yield server, origin
            assert "Traceback" not in server.log()


def personal(fields: tuple[str, ...]) -> Said:
    """An upstream that knows its users by what they show, and tells each his own."""

    def say(connection: socket.socket, head: bytes) -> None:
        user = next((who for who in (ALICE, BOB) if who.encode() in head), "nobody")
        told = [field.format(f"told-{user}") for field in fields]
        connection.sendall(answer(f"the page of {user}".encode(), 'ETag: "same"', *told))

    return say


@pytest.mark.row(43)
@pytest.mark.parametrize(
    ("sent", "told"), [pair for pair in itertools.product(SENT, TOLD) if pair not in PUBLIC_BY_COOKIE]
)
def test_what_one_user_is_given_is_not_given_to_another(both: tuple[Served, Upstream], sent: str, told: str) -> None:
    """Alice asks, then Bob, then somebody who shows nothing, then Alice with a condition and a range.

    Seen red: what was asked for with credentials is stored for all; private answers are stored; a session's answer
    without a word on its lifetime is stored.
    """
    server, origin = both
    path = f"/{sent}-{told}".replace(" ", "-")
    origin.says[path] = personal(TOLD[told])
    for who in (ALICE, BOB, None, ALICE, BOB, None):
        fields = SENT[sent].format(who).split("\r\n") if who else []
        got = hear(server, asking(f"/o{path}", *fields))[0]
        others = [name for name in (ALICE, BOB) if name != who]
        assert parts(got)[2] in [f"the page of {name}".encode() for name in (who, "nobody") if name]
        assert not any(name.encode() in got for name in others)
    on_disk(server)


def on_disk(server: Served) -> None:
    for path in server.folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert ALICE.encode() not in text, path
            assert BOB.encode() not in text, path


@pytest.mark.row(43)
@pytest.mark.parametrize("target", ["/pypi/simple/{0}/", "/npm/{0}"])
def test_the_credentials_of_users_reach_no_upstream_of_packages(both: tuple[Served, Upstream], target: str) -> None:
    """Nor do cookies that it sets come back to it, or to users.

    Seen red: a client's Authorization goes to the index of packages.
    """
    server, origin = both
    name = f"p{len(origin.asked)}"
    page = (b'{"name":"%s","versions":{}}' if "npm" in target else b"<a>%s</a>") % name.encode()
    kind = "Content-Type: application/json" if "npm" in target else "Content-Type: text/html"
    told = answer(page, kind, "Set-Cookie: session=canary-alice", "Cache-Control: max-age=60")
    origin.says |= {f"/simple/{name}/": told, f"/npm/{name}": told, f"/{name}": told}
    origin.asked.clear()
    for who in (ALICE, BOB):
        shown = (f"Authorization: Bearer {who}", f"Cookie: session={who}", f"X-Api-Key: {who}", f"Npm-Otp: {who}")
        got = hear(server, asking(target.format(name, origin.port), *shown))[0]
        assert got.startswith(b"HTTP/1.1 200 ")
        assert not re.search(rb"canary-\w+", got)
    assert origin.asked
    assert not any(b"canary" in head for head in origin.asked)
    on_disk(server)


@pytest.mark.row(43)
def test_a_download_that_one_user_began_is_not_joined_by_another(both: tuple[Served, Upstream]) -> None:
    """1. Alice asks. 2. While her answer comes, Bob asks for the same. 3. Each is given what is his.

    Seen red: a download that turns out to be private is joined by others.
    """
    server, origin = both

    def slow(connection: socket.socket, head: bytes) -> None:
        user = next(who for who in (ALICE, BOB) if who.encode() in head)
        body = user.encode() * 100_000
        connection.sendall(answer(body, "Cache-Control: max-age=60")[:200])
        if user == ALICE:
            connection.settimeout(0.5)
            try:
                connection.recv(1)
            except TimeoutError:
                connection.settimeout(30)
        connection.sendall(answer(body, "Cache-Control: max-age=60")[200:])

    origin.says["/joined"] = slow
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as alice:
        alice.sendall(asking("/o/joined", SENT["bearer"].format(ALICE)).encode())
        bobs = parts(hear(server, asking("/o/joined", SENT["bearer"].format(BOB)))[0])[2]
        got = b""
        while piece := alice.recv(1 << 16):
            got += piece
    assert set(re.findall(rb"canary-[a-z]+?(?=canary|$)", bobs)) == {BOB.encode()}
    assert set(re.findall(rb"canary-[a-z]+?(?=canary|$)", parts(got)[2])) == {ALICE.encode()}
    on_disk(server)
