"""One spelling for each path, and none for what no mirror can mean."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mirror.ecosystems import paths
from mirror.errors import RequestError
from mirror.model import Mirror, Request

SEGMENT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\\\x7f", min_codepoint=0x20),
    min_size=1,
    max_size=12,
).filter(lambda segment: segment not in (".", ".."))
PATH = st.lists(SEGMENT, min_size=1, max_size=6).map(lambda segments: "/" + "/".join(segments))
RAW = st.lists(
    st.sampled_from(
        ["/", ".", "..", "a", "B", "%2e", "%2E", "%2f", "%5c", "%00", "%", "%25", "+", "%2b", "~", "@", "%c3%a9", "%ff"]
    )
).map(lambda parts: "/" + "".join(parts))


def spelled(path: str, encode_all: bool) -> str:
    if encode_all:
        return "/" + "".join(f"%{byte:02x}" for byte in path[1:].encode())
    return quote(path, safe="/@:+!$&'()*,;=~")


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("/", "/"),
        ("/simple/six/", "/simple/six/"),
        ("/@scope%2fname", "/@scope/name"),
        ("/@scope%2Fname", "/@scope/name"),
        ("/%40scope/name", "/@scope/name"),
        ("/pool/g%2b%2b_1%3a2~rc1.deb", "/pool/g++_1:2~rc1.deb"),
        ("/a%20b", "/a%20b"),
        ("/a%3fb", "/a%3Fb"),
        ("/a%23b", "/a%23b"),
        ("/a%252fb", "/a%252fb"),
        ("/%c3%A9", "/%C3%A9"),
    ],
)
def test_spellings_of_one_path_become_one(raw: str, canonical: str) -> None:
    assert paths.canonical(raw) == canonical


@pytest.mark.row(45, at="37 spellings that are refused")
@pytest.mark.parametrize(
    "raw",
    [
        "",
        "a",
        "//a",
        "/a//b",
        "/a//",
        "/a/../b",
        "/a/%2e%2E/b",
        "/..%2fb",
        "/.",
        "/a/./b",
        "/a\\b",
        "/a%5cb",
        "/a%00",
        "/a%0a",
        "/a%7f",
        "/a\nb",
        "/a b",
        "/a#b",
        "/é",
        "/%ff",
        "/%c3",
        "/%zz",
        "/a%",
        "/" + "a" * 2048,
    ],
)
def test_what_no_mirror_can_mean_is_refused(raw: str) -> None:
    with pytest.raises(RequestError):
        paths.canonical(raw)


def test_the_limit_is_2048_bytes_however_they_are_spelled() -> None:
    longest = "a" * 2047
    assert paths.canonical("/" + longest) == "/" + longest
    assert paths.canonical("/" + "%61" * 2047) == "/" + longest
    with pytest.raises(RequestError):
        paths.canonical("/" + "%61" * 2048)


@given(PATH, st.booleans())
def test_every_spelling_of_a_path_has_the_same_canonical_form(path: str, encode_all: bool) -> None:
    assert paths.canonical(spelled(path, encode_all)) == paths.encoded(path)


@given(PATH, PATH)
def test_two_different_paths_never_share_a_canonical_form(one: str, other: str) -> None:
    assume(one != other)
    assert paths.canonical(spelled(one, True)) != paths.canonical(spelled(other, False))


@given(PATH)
def test_a_canonical_path_leaves_room_for_query_and_variant(path: str) -> None:
    canonical = paths.canonical(spelled(path, False))
    assert not {" ", "?", "#"}.intersection(canonical)
    assert paths.canonical(canonical) == canonical


@pytest.mark.row(45, 53, at="100 random paths in CI")
@given(RAW | st.text(max_size=40))
def test_no_raw_path_escapes_and_only_request_errors_are_raised(raw: str) -> None:
    try:
        canonical = paths.canonical(raw)
    except RequestError:
        return
    assert canonical.startswith("/")
    segments = unquote_to_bytes(canonical)[1:].split(b"/")
    assert not {b"..", b"."}.intersection(segments)
    assert b"" not in segments[:-1]
    assert paths.canonical(canonical) == canonical


@pytest.mark.parametrize(
    "raw", ["/a//b", "//a", "/a/./b", "/%zz", "/%2f%2F", "/a%20b/", "/%ff", "/a...b", "/" + "a" * 4000]
)
def test_odd_paths_reach_an_http_origin_as_they_are(raw: str) -> None:
    assert paths.untouched(raw) == raw


@pytest.mark.row(45, at="37 spellings that are refused")
@pytest.mark.parametrize(
    "raw",
    [
        "a",
        "",
        "/..",
        "/a/../b",
        "/%2e%2e/b",
        "/a/.%2E",
        "/..%2fb",
        "/..%5cb",
        "/..\\b",
        "/%00",
        "/a%0d%0a",
        "/a b",
        "/a#b",
    ],
)
def test_an_http_path_with_control_bytes_or_dots_is_refused(raw: str) -> None:
    with pytest.raises(RequestError):
        paths.untouched(raw)


def test_a_query_is_kept_raw_and_an_absent_one_leaves_nothing() -> None:
    assert paths.query("") == ""
    assert paths.query("a=%2F&b=1?") == "?a=%2F&b=1?"
    with pytest.raises(RequestError):
        paths.query("a=\n")


def test_the_mount_is_the_path_of_the_address_that_the_client_sees() -> None:
    mirror = Mirror("pypi", "pypi")
    assert paths.mount(mirror, Request("GET", "/", base="http://host:8000/pypi")) == "/pypi"
    assert paths.mount(mirror, Request("GET", "/", base="https://host/packages/pypi/")) == "/packages/pypi"
    assert paths.mount(mirror, Request("GET", "/")) == "/pypi"
