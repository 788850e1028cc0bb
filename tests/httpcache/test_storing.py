"""Whether a response may be stored for others, and the one word why not (RFC 9111 §3)."""

from __future__ import annotations

import pytest

from mirror.httpcache.decision import Relay, Store, after
from mirror.httpcache.freshness import HEURISTIC, NEGATIVE
from mirror.httpcache.storing import refusal
from mirror.model import Digest, Head, Headers, Plan, Rule
from tests.httpcache.builders import NOW, date, entry, head, headers, plan, request

FRESH = "max-age=60"
PACKAGE = Rule(package=True, ttl=300, grace=60, keep=3600, negative_ttl=30)
EXPLICIT = [{"cache_control": FRESH}, {"cache_control": "s-maxage=60"}, {"expires": date(60)}, {"expires": "0"}]
SILENT = [{}, {"last_modified": date(-1000)}, {"cache_control": "public"}, {"cdn_cache_control": "public"}]


def stored(answer: Head, planned: Plan | None = None, **asked: str) -> bool:
    return refusal(request(**asked), planned or plan(), answer) is None


class TestStatuses:
    """RFC 9111 §3, RFC 9110 §15.1."""

    def test_the_statuses_that_may_be_stored_without_a_word(self) -> None:
        silent = {status for status in range(600) if stored(head(status))}
        assert silent == HEURISTIC - {206} == {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}

    def test_any_final_status_may_with_one_except_a_part(self) -> None:
        assert {status for status in range(700) if stored(head(status, cache_control=FRESH))} == {*range(200, 600)} - {
            206
        }

    def test_a_second_of_freshness_is_a_word(self) -> None:
        assert stored(head(302, cache_control="max-age=1"))
        assert not stored(head(302, cache_control="max-age=0"))

    def test_a_package_mirror_stores_what_is_there_and_what_is_known_to_be_missing(self) -> None:
        planned = plan(Rule(package=True, ttl=300, negative_ttl=30))
        assert {status for status in range(700) if stored(head(status), planned)} == {200, *NEGATIVE} == {200, 404, 410}


class TestMustUnderstand:
    """RFC 9111 §5.2.2.3."""

    @pytest.mark.parametrize("status", [200, 302, 404, 418, 503, 511])
    def test_who_knows_the_status_may_ignore_no_store(self, status: int) -> None:
        assert stored(head(status, cache_control=f"{FRESH}, no-store, must-understand"))
        assert not stored(head(status, cache_control=f"{FRESH}, no-store"))

    @pytest.mark.parametrize("status", [299, 499, 599])
    def test_a_status_that_nobody_knows_is_not_stored_even_without_no_store(self, status: int) -> None:
        assert refusal(request(), plan(), head(status, cache_control=f"{FRESH}, must-understand")) == "status"
        assert stored(head(status, cache_control=FRESH))

    def test_it_does_not_override_private(self) -> None:
        answer = head(cache_control=f"{FRESH}, no-store, must-understand, private")
        assert refusal(request(), plan(), answer) == "private"


class TestCookies:
    """Stricter than RFC 9111 §3: what may be a session's is shared only with explicit freshness."""

    @pytest.mark.parametrize("fields", SILENT)
    def test_neither_the_answer_to_one_nor_one_that_sets_one_is_guessed_fresh(self, fields: dict[str, str]) -> None:
        sent = plan(send=headers(cookie="a=b"))
        assert refusal(request(), sent, head(**fields)) == "cookie"
        assert refusal(request(), plan(), head(set_cookie="a=b", **fields)) == "cookie"
        assert stored(head(**fields))

    @pytest.mark.parametrize("fields", EXPLICIT)
    def test_with_the_origins_word_both_are_stored(self, fields: dict[str, str]) -> None:
        assert stored(head(**fields), plan(send=headers(cookie="a=b")))
        assert stored(head(set_cookie="a=b", **fields))

    def test_a_cookie_that_was_not_sent_on_does_not_count(self) -> None:
        assert stored(head(), cookie="a=b")

    def test_the_lifetime_of_a_rule_is_a_word_too(self) -> None:
        assert stored(head(set_cookie="a=b"), plan(Rule(ttl=300)))
        assert stored(head(404, set_cookie="a=b"), plan(Rule(negative_ttl=30)))
        assert not stored(head(404, set_cookie="a=b"), plan(Rule(ttl=300)))

    def test_a_targeted_field_without_a_lifetime_leaves_expires_no_word(self) -> None:
        assert not stored(head(set_cookie="a=b", cdn_cache_control="public", expires=date(60)))


class TestAuthorization:
    """RFC 9111 §3.5."""

    SENT = plan(send=headers(authorization="Basic eA=="))

    @pytest.mark.parametrize("directive", ["public", "must-revalidate", "s-maxage=60"])
    def test_the_origin_may_permit_sharing(self, directive: str) -> None:
        assert stored(head(cache_control=f"{FRESH}, {directive}"), self.SENT)

    @pytest.mark.parametrize("directive", ["proxy-revalidate", "no-cache", "immutable", "x-public", 'x="public"'])
    def test_nothing_else_does(self, directive: str) -> None:
        assert refusal(request(), self.SENT, head(cache_control=f"{FRESH}, {directive}")) == "authorization"

    def test_permission_does_not_override_private(self) -> None:
        assert refusal(request(), self.SENT, head(cache_control="public, private")) == "private"

    def test_a_targeted_field_may_permit_it_alone(self) -> None:
        assert stored(head(cdn_cache_control="public, max-age=60", cache_control="no-store"), self.SENT)
        assert not stored(head(cdn_cache_control=FRESH, cache_control="public"), self.SENT)


class TestRequestNoStore:
    """RFC 9111 §5.2.1.5."""

    def test_a_client_of_an_http_mirror_may_forbid_it(self) -> None:
        assert refusal(request(cache_control="no-store"), plan(), head(cache_control=FRESH)) == "request"

    def test_a_client_of_a_package_mirror_may_not(self) -> None:
        assert stored(head(), plan(Rule(package=True, ttl=300)), cache_control="no-store")


class TestVaryStar:
    """RFC 9111 §4.1."""

    def test_what_never_matches_is_not_stored(self) -> None:
        lines = Headers((("cache-control", FRESH), ("vary", "accept"), ("vary", "*")))
        assert refusal(request(), plan(), Head(200, lines, NOW, NOW)) == "vary"


class TestStoringOnPackageMirrors:
    """Package mirrors: the rule overrules the origin's lifetime, and what may not be shared stays unshared."""

    def test_a_200_is_stored_whatever_its_lifetime(self) -> None:
        for text in ("", "no-cache", "max-age=0", "must-revalidate"):
            assert after(request(), plan(PACKAGE), None, head(cache_control=text), NOW) == Store()

    @pytest.mark.parametrize("directive", ["no-store", "private", "PRIVATE"])
    def test_do_not_share_is_honoured_without_a_digest(self, directive: str) -> None:
        answer = head(cache_control=directive)
        assert after(request(), plan(PACKAGE), None, answer, NOW) == Relay(directive.lower())
        proven = plan(PACKAGE, digest=Digest("sha512", "cd" * 64))
        assert after(request(), proven, None, answer, NOW) == Store()

    @pytest.mark.parametrize("status", [404, 410])
    def test_negative_answers_are_stored_where_they_have_a_ttl(self, status: int) -> None:
        assert after(request(), plan(PACKAGE), entry(), head(status), NOW) == Store()
        assert after(request(), plan(Rule(package=True, ttl=300)), None, head(status), NOW) == Relay("status")

    @pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 401, 403, 408, 416, 425, 429, 451, 500, 503])
    def test_other_statuses_are_relayed(self, status: int) -> None:
        assert after(request(), plan(PACKAGE), None, head(status, cache_control="max-age=60"), NOW) == Relay("status")

    def test_what_was_fetched_with_a_clients_credentials_is_not_shared(self) -> None:
        asked = request(authorization="Basic eA==")
        assert after(asked, plan(PACKAGE), None, head(), NOW) == Store()  # they were not sent
        forwarding = plan(PACKAGE, send=headers(authorization="Basic eA=="))
        assert after(asked, forwarding, None, head(), NOW) == Relay("authorization")
        assert after(asked, forwarding, None, head(cache_control="public"), NOW) == Store()


class TestStoringOnHttpMirrors:
    """RFC 9111 §3, §3.5."""

    @pytest.mark.parametrize("status", [200, 204, 299, 302, 307, 400, 404, 500, 503, 599])
    def test_any_final_status_with_explicit_freshness(self, status: int) -> None:
        assert after(request(), plan(), None, head(status, cache_control="max-age=60"), NOW) == Store()
        assert after(request(), plan(), None, head(status, expires=date(60)), NOW) == Store()

    @pytest.mark.parametrize("status", [201, 302, 307, 400, 403, 500, 599])
    def test_other_statuses_need_it(self, status: int) -> None:
        assert after(request(), plan(), None, head(status, last_modified=date(-1000)), NOW) == Relay("status")
        assert after(request(), plan(), None, head(status, cache_control="max-age=0"), NOW) == Relay("status")

    @pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
    def test_what_is_cacheable_by_default_does_not(self, status: int) -> None:
        assert after(request(), plan(), None, head(status), NOW) == Store()

    @pytest.mark.parametrize("status", [100, 102, 103])
    def test_interim_answers_are_never_stored(self, status: int) -> None:
        assert after(request(), plan(), None, head(status, cache_control="max-age=60"), NOW) == Relay("interim")

    @pytest.mark.parametrize("rule", [Rule(), PACKAGE])
    def test_a_part_is_never_stored_as_the_whole(self, rule: Rule) -> None:
        part = head(206, cache_control="max-age=60", content_range="bytes 0-1/2")
        assert after(request(range="bytes=0-1"), plan(rule), None, part, NOW) == Relay("partial")

    @pytest.mark.parametrize("text", ["no-store", "No-Store", "private", 'private="x"', "PRIVATE"])
    def test_never_no_store_or_private(self, text: str) -> None:
        answer = after(request(), plan(), None, head(cache_control=f"max-age=60, {text}"), NOW)
        assert answer in (Relay("no-store"), Relay("private"))

    def test_must_understand_overrides_no_store_for_known_statuses(self) -> None:
        fields = {"cache_control": "max-age=60, must-understand, no-store"}
        assert after(request(), plan(), None, head(200, **fields), NOW) == Store()
        assert after(request(), plan(), None, head(599, **fields), NOW) == Relay("status")

    def test_a_client_may_forbid_it(self) -> None:
        asked = request(cache_control="no-store")
        assert after(asked, plan(), None, head(cache_control="max-age=60"), NOW) == Relay("request")

    @pytest.mark.parametrize("text", ["public, max-age=60", "must-revalidate, max-age=60", "s-maxage=60"])
    def test_answers_to_authorization_need_permission(self, text: str) -> None:
        sent = plan(send=headers(authorization="Basic eA=="))
        assert after(request(), sent, None, head(cache_control="max-age=60"), NOW) == Relay("authorization")
        assert after(request(), sent, None, head(cache_control=text), NOW) == Store()

    @pytest.mark.parametrize("fields", [{"cache_control": "max-age=60"}, {"expires": date(60)}])
    def test_what_may_be_a_session_needs_a_word_on_its_freshness(self, fields: dict[str, str]) -> None:
        cookie = plan(send=headers(cookie="a=b"))
        for asked, more in ((cookie, {}), (plan(), {"set_cookie": "a=b"})):
            assert after(request(), asked, None, head(last_modified=date(-1000), **more), NOW) == Relay("cookie")
            assert after(request(), asked, None, head(**fields, **more), NOW) == Store()

    @pytest.mark.parametrize("status", [600, 999])
    def test_a_status_that_there_is_not_is_never_stored(self, status: int) -> None:
        assert after(request(), plan(), None, head(status, cache_control="max-age=60"), NOW) == Relay("status")

    def test_vary_star_is_not_stored_and_fields_are(self) -> None:
        assert after(request(), plan(), None, head(cache_control="max-age=60", vary="a, *"), NOW) == Relay("vary")
        assert after(request(), plan(), None, head(cache_control="max-age=60", vary="accept"), NOW) == Store()

    def test_a_targeted_field_decides_alone(self) -> None:
        fields = {"cache_control": "no-store", "cdn_cache_control": "max-age=60"}
        assert after(request(), plan(), None, head(**fields), NOW) == Store()

    def test_negative_answers_with_a_ttl_of_the_rule_obey_no_store_all_the_same(self) -> None:
        rule = Rule(negative_ttl=30)
        assert after(request(), plan(rule), None, head(404), NOW) == Store()
        assert after(request(), plan(rule), None, head(404, cache_control="no-store"), NOW) == Relay("no-store")
