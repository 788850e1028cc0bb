"""Which mirror a URL of an upstream belongs to, for clients that take this server for their proxy."""

from __future__ import annotations

import pytest

from mirror.model import Mirror
from mirror.mounts import Mounts
from mirror.reach import Reach

MOUNTS = Mounts(
    (
        Mirror("debian", "apt", ("http://archive.test/debian", "https://second.test:8443/d")),
        Mirror("security", "apt", ("http://archive.test/debian/security",)),
        Mirror("top", "apt", ("https://top.test",)),
        Mirror("get", "any", reach=Reach(("*.files.test", "odd.test:81"))),
    )
)


@pytest.mark.parametrize(
    ("host", "path", "here"),
    [
        ("archive.test", "/debian/dists/stable/InRelease", "/debian/dists/stable/InRelease"),
        ("ARCHIVE.test:80", "/debian/x%2by", "/debian/x%2by"),
        ("archive.test", "/debian", "/debian/"),
        ("archive.test", "/debian/security/x", "/security/x"),
        ("archive.test", "/debianx/y", None),
        ("archive.test", "/", None),
        ("archive.test:81", "/debian/x", None),
        ("second.test:8443", "/d/x", "/debian/x"),
        ("second.test", "/d/x", None),
        ("top.test", "/x", "/top/x"),
        ("top.test:443", "/", "/top/"),
        ("a.files.test", "/x", "/get/http/a.files.test/x"),
        ("odd.test:81", "/x", "/get/http/odd.test:81/x"),
        ("a.files.test:81", "/x", None),
        ("evil.test", "/debian/x", None),
        ("", "/debian/x", None),
        ("archive.test@evil.test", "/debian/x", None),
        ("HTTPS", "///top.test/x", "/top/x"),
        ("https", "///a.files.test/x", "/get/https/a.files.test/x"),
        ("HTTPS", "///evil.test/x", None),
        ("HTTPS", "/top.test/x", None),
        ("HTTPS", "//", None),
    ],
)
def test_what_a_proxy_is_asked_for(host: str, path: str, here: str | None) -> None:
    assert MOUNTS.absolute(host, path) == here


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/archive.test/debian/x", "/debian/x"),
        ("/top.test", "/top/"),
        ("/HTTPS///top.test/x", "/top/x"),
        ("/HTTPS///a.files.test/x", "/get/https/a.files.test/x"),
        ("/HTTPS///evil.test/x", None),
        ("/evil.test/x", None),
        ("/debian/x", None),
        ("//archive.test/debian/x", None),
        ("/", None),
    ],
)
def test_addresses_as_apt_cacher_ng_has_them(path: str, here: str | None) -> None:
    assert MOUNTS.named(path) == here


PYTHON = Mounts(
    (Mirror("pypi", "pypi", ("https://index.test/root/simple",)), Mirror("npm", "npm", ("http://js.test",)))
)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("https://index.test/root/simple/six/", "/pypi/simple/six/"),
        ("http://INDEX.test/root/simple/", "/pypi/simple/"),
        ("https://index.test/root/pypi/six/json", "/pypi/pypi/six/json"),
        ("https://index.test/root/other", None),
        ("http://js.test/@acme%2fx?write=true", "/npm/@acme%2fx?write=true"),
        ("http://js.test", "/npm/"),
        ("http://user:secret@js.test/x", None),
        ("ftp://js.test/x", None),
        ("http://[js.test/x", None),
        ("/npm/x", None),
    ],
)
def test_whole_urls_of_an_upstream(url: str, here: str | None) -> None:
    assert PYTHON.whole(url) == here
