"""Which Host is believed: it ends up in documents."""

from __future__ import annotations

import pytest

from mirror.model import Headers
from mirror.web.proxy import Names

SCOPE = {"scheme": "http", "server": ("192.0.2.7", 8000)}
OURS = Names(hosts=frozenset({"localhost", "[::1]", "mirror.test", "other.test:81"}), default="mirror.test:8000")


@pytest.mark.row(42, at="13 Hosts: links are made with our own names only")
@pytest.mark.parametrize(
    ("host", "authority"),
    [
        ("localhost:8000", "localhost:8000"),
        ("LOCALHOST", "localhost"),
        ("[::1]:8000", "[::1]:8000"),
        ("[::1]", "[::1]"),
        ("other.test:81", "other.test:81"),
        ("192.0.2.7:8000", "192.0.2.7:8000"),
        ("other.test:82", None),
        ("evil.test", None),
        ("localhost:80@evil.test", None),
        ("localhost:8000/x", None),
        ("localhost:", None),
        ("localhost, evil.test", None),
        ("", None),
    ],
)
def test_only_our_own_names_are_believed(host: str, authority: str | None) -> None:
    assert OURS.base(SCOPE, Headers.of({"host": host})) == f"http://{authority or 'mirror.test:8000'}"


def test_the_public_url_is_all_that_counts_where_there_is_one() -> None:
    assert Names("https://mirror.test/x").base(SCOPE, Headers.of({"host": "localhost"})) == "https://mirror.test/x"


def test_a_server_on_all_addresses_calls_itself_by_the_one_that_was_reached() -> None:
    names = Names(hosts=frozenset({"localhost"}))
    assert names.base(SCOPE, Headers.of({"host": "evil.test"})) == "http://192.0.2.7:8000"
    assert names.base({"server": ("2001:db8::1", 80)}, Headers()) == "http://[2001:db8::1]:80"
