"""Which form of a page a client of Python packages gets (PEP 691)."""

from __future__ import annotations

import pytest

from mirror.ecosystems import pypi
from mirror.model import Headers, Mirror, Plan, Request

JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
PIP = f"{JSON}, {V1_HTML}; q=0.1, text/html; q=0.01"


FORMS = {"json": JSON, "v1": f"{V1_HTML}; charset=utf-8", "html": "text/html; charset=utf-8"}


def planned(path: str, query: str = "", accept: str | list[str] = "") -> Plan:
    lines = [accept] if isinstance(accept, str) else accept
    headers = Headers(tuple(("accept", line) for line in lines if line))
    mirror = Mirror("pypi", "pypi", ("http://upstream.test/simple",))
    plan = pypi.plan(mirror, Request("GET", path, query, headers, "http://host:8000/pypi"))
    assert isinstance(plan, Plan)
    return plan


def answered(plan: Plan) -> str:
    """The media type of the answer where the origin has HTML without a charset."""
    assert plan.rewrite is not None
    return plan.rewrite.apply(b"<p>", Headers.of({"content-type": "text/html"})).content_type


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "html"),
        ("*/*", "html"),
        ("text/html", "html"),
        (PIP, "json"),
        (f"{JSON}, {V1_HTML};q=0.2, text/html;q=0.01", "json"),
        (f"{JSON}, */*;q=0.1", "json"),
        (f"{JSON};q=0.5, text/html", "html"),
        (f"{JSON};q=0, */*", "html"),
        (f"{JSON}; Q=0.9;x=y , text/html;q=0.900", "json"),
        (f"{JSON};q=abc, text/html;q=0.1", "html"),
        ("application/*", "json"),
        ("text/html;q=0, */*", "json"),
        ("application/vnd.pypi.simple.latest+json", "json"),
        (V1_HTML, "v1"),
        ("image/png", "html"),
        (["text/html;q=0.1", JSON], "json"),
        (["text/html", f"{JSON};q=0"], "html"),
        (f"{JSON};q=0, application/*", "v1"),
        (f"{V1_HTML}, {JSON}", "json"),
        (f"{V1_HTML};q=0.5, text/html;q=0.5", "v1"),
        (f"text/html;q=0, {JSON};q=0, */*", "v1"),
        ("application/vnd.pypi.simple.latest+html", "v1"),
    ],
)
def test_the_form_follows_the_accept_field(accept: str | list[str], form: str) -> None:
    for path in ("/simple/six/", "/simple/"):
        assert answered(planned(path, accept=accept)) == FORMS[form]


def test_one_page_is_stored_and_upstream_is_always_asked_for_json_first() -> None:
    for accept in (PIP, "text/html", V1_HTML, ""):
        for path in ("/simple/six/", "/simple/"):
            plan = planned(path, accept=accept)
            assert plan.key == f"/pypi{path}"
            assert plan.send.get("accept") == f"{JSON}, {V1_HTML};q=0.2, text/html;q=0.01"


@pytest.mark.parametrize(
    ("query", "form"),
    [
        (f"format={JSON}", "json"),
        ("format=application%2Fvnd.pypi.simple.latest%2Bjson", "json"),
        ("format=text/html", "html"),
        ("format=other", "html"),
        ("x=1", "json"),
    ],
)
def test_the_format_parameter_overrules_the_accept_field(query: str, form: str) -> None:
    assert answered(planned("/simple/six/", query, accept=JSON)) == FORMS[form]


@pytest.mark.parametrize("content_type", [JSON, V1_HTML, "text/html"])
def test_what_upstream_sent_does_not_change_what_a_client_gets(content_type: str) -> None:
    body = b'{"meta": {"api-version": "1.0"}, "files": []}' if content_type == JSON else b"<p>"
    for form, expected in FORMS.items():
        accept = {"json": PIP, "v1": V1_HTML, "html": ""}[form]
        rewrite = planned("/simple/six/", accept=accept).rewrite
        assert rewrite is not None
        assert rewrite.apply(body, Headers.of({"content-type": content_type})).content_type == expected
        assert rewrite.variant == expected.partition(";")[0]
        assert rewrite.vary.startswith("Accept")
