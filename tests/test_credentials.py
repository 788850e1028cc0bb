"""Secrets are found where the configuration points, and stand in no message."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirror import credentials
from mirror.errors import ConfigError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRROR_TEST_TOKEN", "swordfish")
    monkeypatch.setenv("MIRROR_TEST_USER", "me")
    monkeypatch.setenv("MIRROR_TEST_BROKEN", "swordfish\nX-Other: 1")
    monkeypatch.setenv("MIRROR_TEST_COLON", "swordfish:x")
    monkeypatch.setenv("MIRROR_TEST_BLANK", " ")
    monkeypatch.setenv("MIRROR_TEST_PROXY", "http://me:swordfish@proxy.test:3128/")
    monkeypatch.delenv("MIRROR_TEST_NONE", raising=False)


def test_secret_comes_from_the_environment_a_file_or_the_text_itself(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("swordfish\n")
    for written in ("env:MIRROR_TEST_TOKEN", "file:token", f"file:{tmp_path}/token", "swordfish"):
        assert credentials.secret(written, tmp_path) == "swordfish"
    assert credentials.secret("", tmp_path) == ""


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ("", None),
        ("bearer env:MIRROR_TEST_TOKEN", ("authorization", "Bearer swordfish")),
        ("Basic env:MIRROR_TEST_USER env:MIRROR_TEST_TOKEN", ("authorization", "Basic bWU6c3dvcmRmaXNo")),
        ("header X-Api-Key env:MIRROR_TEST_TOKEN", ("x-api-key", "swordfish")),
    ],
)
def test_auth_becomes_one_header_field(tmp_path: Path, written: str, field: tuple[str, str] | None) -> None:
    assert credentials.auth(written, tmp_path) == field


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("bearer env:MIRROR_TEST_NONE", "environment variable MIRROR_TEST_NONE is not set"),
        ("bearer env:MIRROR_TEST_BLANK", "environment variable MIRROR_TEST_BLANK is not set"),
        ("bearer file:none", "file none cannot be read: No such file or directory"),
        ("bearer file:empty", "file empty is empty"),
        ("bearer file:binary", "file binary cannot be read: not UTF-8 text"),
        ("basic env:MIRROR_TEST_COLON env:MIRROR_TEST_TOKEN", "the user of `basic` has a colon in it"),
        ("header Host env:MIRROR_TEST_TOKEN", "the field Host is not for credentials"),
        *[
            (wrong, 'write "bearer env:X", "basic env:USER env:PASS" or "header NAME env:X"')
            for wrong in ("swordfish", "basic swordfish", "header X: swordfish", "token env:X", 7, ["swordfish"])
        ],
        (
            "bearer env:MIRROR_TEST_BROKEN",
            "environment variable MIRROR_TEST_BROKEN holds what a header field cannot carry (only printable ASCII)",
        ),
    ],
)
def test_wrong_auth_names_the_place_and_never_the_value(tmp_path: Path, written: object, problem: str) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"swordfish\xff")
    with pytest.raises(ConfigError) as error:
        credentials.auth(written, tmp_path)
    assert error.value.problems == [problem]


def test_secret_that_is_no_text_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        credentials.secret(123456, tmp_path)
    assert error.value.problems == ["not text in quotes (write env:NAME or file:PATH)"]


def test_proxy_may_be_a_url_or_a_secret_that_holds_one(tmp_path: Path) -> None:
    assert credentials.proxy("http://proxy.test:3128", tmp_path) == "http://proxy.test:3128"
    assert credentials.proxy("env:MIRROR_TEST_PROXY", tmp_path) == "http://me:swordfish@proxy.test:3128"
    with pytest.raises(ConfigError) as error:
        credentials.proxy("env:MIRROR_TEST_TOKEN", tmp_path)
    assert error.value.problems == ["not the URL of a proxy (write http://HOST:PORT)"]
