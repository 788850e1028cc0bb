"""Sizes, durations, addresses and URLs, as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror import values
from mirror.errors import ConfigError

FOLDER = Path("/etc/mirror")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@given(st.integers(0, 3650), st.sampled_from(sorted(_SECONDS)))
def test_duration_is_its_number_times_its_unit(count: int, unit: str) -> None:
    assert values.duration(f"{count}{unit}") == count * _SECONDS[unit]


@given(st.integers(0, 1000), st.sampled_from(sorted(_BYTES)))
def test_size_is_its_number_times_its_unit_in_any_case(count: int, unit: str) -> None:
    expected = count * _BYTES[unit]
    assert values.size(f"{count}{unit}") == values.size(f"{count} {unit.lower()}") == values.size(expected) == expected


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.lists(st.text()))
def test_any_value_is_read_within_bounds_or_refused_in_one_line(value: object) -> None:
    for read, most in ((values.size, 10**18), (values.duration, 3650 * 86400)):
        amount, problem = 0.0, ""
        try:
            amount = read(value)
        except ConfigError as error:
            problem = str(error)
        assert 0 <= amount <= most
        assert "\n" not in problem


def test_decimal_fractions_are_exact() -> None:
    assert values.duration("0.25s") == 0.25
    assert values.size("1.1GB") == 1_100_000_000
    assert values.size("0.5KiB") == 512


@pytest.mark.parametrize(
    "value", ["", "10", "10x", "-1s", "1e3s", "nans", "infd", "1s ", " 1s", "1 s", "१s", 10, 1.5, True, []]
)
def test_what_is_not_a_duration_is_told_how_to_write_one(value: object) -> None:
    with pytest.raises(ConfigError, match=r"is not a duration \(write 30s, 10m, 12h, 7d\)$"):
        values.duration(value)


@pytest.mark.parametrize("value", ["", "GB", "-1GB", "10", "10G", "10 gigabytes", "1e3B", -1, 1.5, float("nan"), True])
def test_what_is_not_a_size_is_told_how_to_write_one(value: object) -> None:
    with pytest.raises(ConfigError, match=r"is not a size \(write 500MB, 50GB, 2GiB, or a number of bytes\)$"):
        values.size(value)


def test_absurd_and_empty_amounts_are_refused() -> None:
    for read, value, text in (
        (values.duration, "3651d", '"3651d" is too long (at most 3650d)'),
        (values.size, "1001PB", '"1001PB" is too large (at most 1000PB)'),
        (values.size, 10**18 + 1, "1000000000000000001 is too large (at most 1000PB)"),
        (lambda zero: values.size(zero, positive=True), "0GB", '"0GB" must be more than 0'),
        (lambda zero: values.duration(zero, positive=True), "0s", '"0s" must be more than 0'),
    ):
        with pytest.raises(ConfigError) as error:
            read(value)
        assert error.value.problems == [text]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("LocalHost:0", "localhost:0"),
        ("[::1]:8000", "[::1]:8000"),
        ("[0:0::1]:65535", "[::1]:65535"),
        ("unix:run/mirror.sock", "unix:/etc/mirror/run/mirror.sock"),
        ("unix:/run/mirror.sock", "unix:/run/mirror.sock"),
    ],
)
def test_listen_address_is_a_host_with_a_port_or_a_socket(written: str, shown: str) -> None:
    assert str(values.address(written, FOLDER)) == shown


@pytest.mark.parametrize(
    "written",
    ["", ":8000", "8000", "localhost", "::1:8000", "[::g]:1", "[1::2::3]:1", "h:65536", "h:-1", "h h:1", 8000],
)
def test_what_is_no_address_is_told_how_to_write_one(written: object) -> None:
    with pytest.raises(ConfigError, match=r"is not an address \(write HOST:PORT, \[::1\]:PORT or unix:PATH\)$"):
        values.address(written, FOLDER)


def test_socket_needs_a_path() -> None:
    with pytest.raises(ConfigError, match="is not a path"):
        values.address("unix:", FOLDER)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("HTTPS://Upstream.TEST/Root//", "https://upstream.test/Root"),
        ("http://upstream.test:8080", "http://upstream.test:8080"),
        ("http://[::1]:9/a%20b", "http://[::1]:9/a%20b"),
    ],
)
def test_url_loses_its_trailing_slash_and_the_case_of_its_host(written: str, read: str) -> None:
    assert values.url(written) == read


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("ftp://upstream.test/", "write http://HOST"),
        ("upstream.test/simple", "write http://HOST"),
        ("http:///simple", "write http://HOST"),
        ("http://[::1", "is not a URL"),
        ("http://upstream.test:99999/", "is not a URL"),
        ("http://upstream.test:0/", "is not a URL"),
        ("http://a b/", "write http://HOST"),
        ("http://upstream.test/a\nb", "write http://HOST"),
        ("http://upstream.test\\@evil.test/", "write http://HOST"),
        ("http://up%73tream.test/", "its host cannot be read"),
        ("http://[::1]x/", "is not a URL"),
        ("http://bücher.test/", "write http://HOST"),
        ("http://upstream.test/?", "has a query or a fragment"),
        ("http://upstream.test/#top", "has a query or a fragment"),
        ("http://user:swordfish@upstream.test/", "use `auth`"),
        (7, "is not text in quotes"),
    ],
)
def test_url_that_no_upstream_can_have_is_refused(written: object, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        values.url(written)
    assert text in str(error.value)
    assert "swordfish" not in str(error.value)


@given(st.text(alphabet="htps:/@[]?#\\ .%19a\n", max_size=30))
def test_url_reader_gives_a_clean_url_or_a_problem(written: str) -> None:
    try:
        read = values.url("http://" + written)
    except ConfigError:
        return
    assert values.url(read) == read
    assert not set("@?#\\ \n") & set(read.partition("/")[0])


def test_pypi_upstream_is_its_index_root() -> None:
    assert values.rooted("http://upstream.test", "pypi") == "http://upstream.test/simple"
    assert values.rooted("http://upstream.test/simple", "pypi") == "http://upstream.test/simple"
    assert values.rooted("http://upstream.test/dev/+simple", "pypi") == "http://upstream.test/dev/+simple"
    assert values.rooted("http://upstream.test/debian", "apt") == "http://upstream.test/debian"


def test_messages_show_no_credentials_and_stay_short() -> None:
    assert values.shown("ftp://user:swordfish@upstream.test/") == '"ftp://***@upstream.test/"'
    assert values.shown("user:swordfish@upstream.test") == '"***@upstream.test"'
    assert values.shown(True) == "true"
    assert len(values.shown("x" * 1000)) == 80


def test_loopback_and_wildcard_authorities_are_all_this_machine() -> None:
    for place in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.9.9.9", "LOCALHOST."):
        assert values.authority(f"http://{place}:8000/npm") == "localhost:8000"
    assert values.authority("https://upstream.test/") == "upstream.test:443"
    assert values.authority("http://upstream.test/") == "upstream.test:80"
