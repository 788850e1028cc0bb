"""Tokens and their roles, and what becomes of those who guess."""

from __future__ import annotations

import base64
import hmac
import logging

import pytest

from mirror import rights
from mirror.errors import TooOften, Unproven
from mirror.rights import ADDRESSES, MOST, Role, Token, Tokens, digest, loopback
from tests.instruments.clock import Clock


def tokens(clock: Clock | None = None) -> Tokens:
    return Tokens([Token(role.name.lower(), role, digest(f"t-{role.name}")) for role in Role], clock or Clock())


def wrong(known: Tokens, client: str, times: int = 1) -> list[float]:
    """What that many wrong tokens from there come to: 0.0 is a 401, else the seconds to wait."""
    told = []
    for _ in range(times):
        with pytest.raises((Unproven, TooOften)) as error:
            known.role(["Bearer x"], client)
        told.append(error.value.retry_after)
    return told


@pytest.mark.parametrize("role", Role)
def test_a_token_carries_its_role(role: Role) -> None:
    assert tokens().find(f"t-{role.name}") == role


@pytest.mark.parametrize("shown", ["", "t-READ ", "T-READ", "t-REA", digest("t-READ").hex(), "é\u20ac"])
def test_what_is_no_token_carries_none(shown: str) -> None:
    assert tokens().find(shown) is None


def test_an_empty_token_is_none_even_where_one_is_configured() -> None:
    assert Tokens([Token("a", Role.ADMIN, digest(""))]).find("") is None


@pytest.mark.row(49, at="every token is compared in constant time; nothing is timed")
def test_all_tokens_are_looked_at_wherever_the_right_one_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen red: tokens are not compared in constant time."""
    seen: list[bytes] = []
    same = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        seen.append(other)
        return same(one, other)

    monkeypatch.setattr(rights.hmac, "compare_digest", compare)
    for shown in ("t-READ", "t-ADMIN", "x"):
        seen.clear()
        tokens().find(shown)
        assert seen == [digest(f"t-{role.name}") for role in Role]


@pytest.mark.parametrize("text", ["Bearer {t}", "bearer  {t} ", "Basic {b}", "basic {b}"])
def test_a_token_is_shown_as_a_bearers_or_as_a_password(text: str) -> None:
    operate = "t-OPERATE"
    coded = base64.b64encode(f"any:{operate}".encode()).decode()
    assert tokens().role([text.format(t=operate, b=coded)], "a") == Role.OPERATE


@pytest.mark.parametrize(
    "shown",
    [
        ["t-READ"],
        ["Digest t-READ"],
        ["Basic t-READ"],
        ["Basic !"],
        ["Basic " + base64.b64encode(b"t-READ:").decode()],
        ["Basic " + base64.b64encode(b"\xff:t-READ").decode()],
        ["Bearer t-READ", "Bearer t-READ"],
        ["Bearer t-READ, Bearer t-READ"],
        [""],
    ],
)
def test_what_is_shown_otherwise_is_wrong(shown: list[str]) -> None:
    with pytest.raises(Unproven):
        tokens().role(shown, "a")


@pytest.mark.row(49)
def test_whoever_guesses_is_told_to_wait_and_a_right_token_is_let_in(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    known = tokens(clock)
    with caplog.at_level(logging.WARNING):
        assert wrong(known, "192.0.2.1", MOST) == [0.0] * MOST
        clock.wind(59)
        assert wrong(known, "192.0.2.1", 3) == [1.0] * 3  # those do not count: it need not wait longer for them
    assert len([record for record in caplog.records if "192.0.2.1" in record.getMessage()]) == 1
    assert "t-" not in caplog.text
    assert known.role(["Bearer t-READ"], "192.0.2.1") == Role.READ
    assert wrong(known, "192.0.2.2") == [0.0]
    clock.wind(1)
    assert wrong(known, "192.0.2.1") == [0.0]


def test_who_shows_nothing_does_not_guess() -> None:
    known = tokens()
    for _ in range(5 * MOST):
        with pytest.raises(Unproven):
            known.role([], "192.0.2.1")
    assert wrong(known, "192.0.2.1") == [0.0]


def test_an_ipv6_network_is_one_client_and_a_mapped_address_its_ipv4() -> None:
    known = tokens()
    assert wrong(known, "2001:db8::1", MOST) == [0.0] * MOST
    assert wrong(known, "2001:db8::ffff:2") == [60.0]
    assert wrong(known, "2001:db8:0:1::1") == [0.0]
    assert wrong(known, "::ffff:192.0.2.1", MOST) == [0.0] * MOST
    assert wrong(known, "192.0.2.1") == [60.0]
    assert wrong(known, "", MOST + 1)[-1] == 60.0  # through a socket


def test_the_memory_for_failures_is_bounded_and_forgets_the_oldest() -> None:
    known = tokens()
    wrong(known, "192.0.2.1", MOST)
    for number in range(ADDRESSES - 1):
        wrong(known, f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    assert wrong(known, "192.0.2.1") == [60.0]
    for number in range(3 * ADDRESSES):
        wrong(known, f"10.1.{number // 256 % 256}.{number % 256}")
    assert len(known._failures._times) == ADDRESSES
    assert wrong(known, "192.0.2.1") == [0.0]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "a.localhost"])
def test_this_machine_for_itself(host: str) -> None:
    assert loopback(host)


@pytest.mark.parametrize("host", ["", "192.0.2.1", "0.0.0.0", "::", "mirror.test", "localhost.test", "127.0.0.1.test"])
def test_other_machines(host: str) -> None:
    assert not loopback(host)
