"""Which answer that is still coming in may be used for others (RFC 9111 §4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirror.httpcache.decision import reusable
from mirror.model import Rule
from tests.httpcache.builders import NOW, URL, entry, plan, request

PACKAGE = Rule(package=True, ttl=300)
ELSEWHERE = "https://other.example.com/x"


class TestCollapsedRequests:
    """RFC 9111 §4: an answer that is still coming in is used for others as a stored one would be."""

    @pytest.mark.parametrize(
        ("text", "fit"),
        [
            ("max-age=10", True),
            ("max-age=0, stale-while-revalidate=5", True),
            ("max-age=0", False),
            ("no-cache, max-age=10", False),
            ("no-store, max-age=10", False),
            ("private, max-age=10", False),
            ("", False),
        ],
    )
    def test_the_origins_word_counts(self, text: str, fit: bool) -> None:
        assert reusable(request(), plan(), entry(cache_control=text).head, NOW) is fit

    @pytest.mark.parametrize("text", ["no-cache", "no-store", "max-age=0", "min-fresh=11"])
    def test_the_clients_word_counts(self, text: str) -> None:
        assert not reusable(request(cache_control=text), plan(), entry(cache_control="max-age=10").head, NOW)

    def test_it_grows_stale_while_it_comes(self) -> None:
        head = entry(cache_control="max-age=10").head
        assert reusable(request(), plan(), head, NOW + 9)
        assert not reusable(request(), plan(), head, NOW + 10)

    def test_any_of_the_plans_addresses_will_do_and_any_rule_that_stores(self) -> None:
        head = entry(cache_control="max-age=10").head
        assert reusable(request(), replace(plan(), urls=(ELSEWHERE, URL)), head, NOW)
        assert not reusable(request(), plan(Rule(store=False)), head, NOW)

    def test_on_a_package_mirror_the_rule_decides(self) -> None:
        asked, answer = request(cache_control="no-cache, no-store"), entry(cache_control="no-cache, max-age=0").head
        assert reusable(asked, plan(PACKAGE), answer, NOW)
