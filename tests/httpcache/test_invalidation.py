"""What a request that changes something at the origin makes of what is stored (RFC 9111 §4.4)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from mirror.httpcache.invalidation import SAFE, answers_get, invalidates, targets
from mirror.model import Head, Headers
from tests.httpcache.builders import NOW, URL, date, head, headers


class TestMethods:
    """RFC 9111 §4.4, RFC 9110 §9.2.1."""

    @pytest.mark.parametrize(
        "method", ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY", "PRI"]
    )
    def test_safe_ones_never_invalidate(self, method: str) -> None:
        assert not any(invalidates(method, status) for status in (200, 204, 301, 399))

    def test_no_other_is_taken_for_safe(self) -> None:
        assert len(SAFE) == 9

    @pytest.mark.parametrize(
        "method", ["POST", "PUT", "DELETE", "PATCH", "MKCOL", "PROPPATCH", "FOO", "get", "Head", ""]
    )
    def test_unsafe_and_unknown_ones_do(self, method: str) -> None:
        assert invalidates(method, 200)


class TestAnswers:
    """RFC 9111 §4.4: a non-error response, 2xx or 3xx."""

    @pytest.mark.parametrize("status", [200, 201, 204, 206, 299, 301, 303, 304, 399])
    def test_success_and_redirect_invalidate(self, status: int) -> None:
        assert invalidates("POST", status)

    @pytest.mark.parametrize("status", [100, 103, 199, 400, 404, 412, 500, 503, 599, 600])
    def test_errors_and_interim_answers_change_nothing(self, status: int) -> None:
        assert not invalidates("POST", status)


class TestTargets:
    """RFC 9111 §4.4: the request's own address, and what Location and Content-Location name at the same origin."""

    def found(self, reference: str, url: str = URL, name: str = "location") -> list[str]:
        """What is invalidated besides the address itself."""
        own, *others = targets(url, Headers(((name, reference),)))
        assert own == url
        return others

    def test_the_address_itself_always(self) -> None:
        assert targets(URL, Headers()) == (URL,)
        assert targets(f"{URL}?a=b", headers(content_type="text/plain")) == (f"{URL}?a=b",)

    @pytest.mark.parametrize("name", ["location", "content-location"])
    def test_either_field_names_another(self, name: str) -> None:
        assert self.found("/y", name=name) == ["https://upstream.test/y"]

    def test_both_fields_and_all_their_lines_count_each_address_once(self) -> None:
        told = Headers((("content-location", "/z"), ("location", "/y"), ("location", "/x"), ("location", "/y")))
        assert targets(URL, told) == (URL, "https://upstream.test/y", "https://upstream.test/z")

    @pytest.mark.parametrize(
        ("reference", "target"),
        [
            ("/y?a=b", "https://upstream.test/y?a=b"),
            ("z", "https://upstream.test/a/z"),
            ("../z", "https://upstream.test/z"),
            ("?q", "https://upstream.test/a/b?q"),
            ("//upstream.test/y", "https://upstream.test/y"),
            ("https://upstream.test/y", "https://upstream.test/y"),
        ],
    )
    def test_relative_references_are_resolved(self, reference: str, target: str) -> None:
        assert self.found(reference, "https://upstream.test/a/b") == [target]

    @pytest.mark.parametrize("reference", ["/y#part", "https://upstream.test/y#"])
    def test_a_fragment_is_no_part_of_an_address(self, reference: str) -> None:
        assert self.found(reference) == ["https://upstream.test/y"]
        assert self.found("#part") == []

    @pytest.mark.parametrize(
        "reference",
        [
            "https://other.example.com/x",
            "//other.example.com/x",
            "https://sub.upstream.test/x",
            "http://upstream.test/x",
            "https://upstream.test:8443/x",
            "https://upstream.test@other.example.com/x",
            "mailto:upstream.test",
            "data:,x",
        ],
    )
    def test_another_origins_address_is_left_alone(self, reference: str) -> None:
        assert self.found(reference) == []

    @pytest.mark.parametrize(
        ("url", "reference"),
        [
            ("https://upstream.test/x", "https://upstream.test:443/y"),
            ("https://upstream.test:443/x", "https://upstream.test/y"),
            ("http://upstream.test/x", "http://upstream.test:80/y"),
            ("http://upstream.test:8080/x", "http://upstream.test:8080/y"),
            ("https://upstream.test/x", "HTTPS://Upstream.TEST/y"),
        ],
    )
    def test_the_default_port_and_the_case_of_a_host_make_no_other_origin(self, url: str, reference: str) -> None:
        assert [urlsplit(target).path for target in self.found(reference, url)] == ["/y"]

    def test_a_default_port_belongs_to_its_scheme(self) -> None:
        assert self.found("http://upstream.test:443/y", "http://upstream.test/x") == []
        assert self.found("https://upstream.test:80/y") == []

    @pytest.mark.parametrize(
        "reference", ["//[", "https://[upstream.test/y", "https://upstream.test:99999/y", "//a:b/"]
    )
    def test_what_is_no_address_is_ignored_and_hides_nothing(self, reference: str) -> None:
        assert self.found(reference) == []
        told = Headers((("location", reference), ("location", "/y"), ("content-location", reference)))
        assert targets(URL, told) == (URL, "https://upstream.test/y")


class TestAnswersToPost:
    """RFC 9110 §9.3.3: cacheable with explicit freshness and the request's own address in Content-Location."""

    def answer(self, status: int = 200, **fields: str) -> Head:
        return head(status, **{"content_location": URL, "cache_control": "max-age=60", **fields})

    @pytest.mark.parametrize("location", [URL, "/x", "x", "", "//upstream.test/x"])
    def test_it_answers_a_later_get_of_the_same_address(self, location: str) -> None:
        assert answers_get("POST", URL, Head(200, headers(content_location=location, expires=date(60)), NOW, NOW))
        assert answers_get("POST", URL, self.answer())

    @pytest.mark.parametrize("location", ["/y", "/x?a", "/x#part", "https://other.example.com/x", "//["])
    def test_not_of_another(self, location: str) -> None:
        assert not answers_get("POST", URL, self.answer(content_location=location))

    @pytest.mark.parametrize("fields", [{}, {"last_modified": date(-1000)}, {"cache_control": "public"}])
    def test_not_without_explicit_freshness(self, fields: dict[str, str]) -> None:
        assert not answers_get("POST", URL, head(content_location=URL, **fields))

    @pytest.mark.parametrize("fields", [{"cache_control": "s-maxage=60"}, {"expires": date(60), "cache_control": ""}])
    def test_any_explicit_freshness_will_do(self, fields: dict[str, str]) -> None:
        assert answers_get("POST", URL, self.answer(**fields))

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "GET", "QUERY", "post"])
    def test_no_other_methods_answer_does(self, method: str) -> None:
        assert not answers_get(method, URL, self.answer())

    @pytest.mark.parametrize("status", [201, 204, 301, 404])
    def test_no_other_status_does(self, status: int) -> None:
        assert not answers_get("POST", URL, self.answer(status))

    def test_exactly_one_content_location_says_so(self) -> None:
        assert not answers_get("POST", URL, head(cache_control="max-age=60"))
        twice = Headers((*self.answer().headers, ("content-location", URL)))
        assert not answers_get("POST", URL, Head(200, twice, NOW, NOW))
