"""Which form of a page a client of Python packages gets (PEP 691)."""

from __future__ import annotations

import pytest

from mirror.ecosystems import pypi
from mirror.model import Headers, Mirror, Plan, Request

JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
PIP = f"{JSON}, {V1_HTML}; q=0.1, text/html; q=0.01"


def planned(path: str, query: str = "", accept: str | list[str] = "") -> Plan:
    lines = [accept] if isinstance(accept, str) else accept
    headers = Headers(tuple(("accept", line) for line in lines if line))
    mirror = Mirror("pypi", "pypi", ("http://upstream.test/simple",))
    plan = pypi.plan(mirror, Request("GET", path, query, headers, "http://host:8000/pypi"))
    assert isinstance(plan, Plan)
    return plan


@pytest.mark.parametrize(
    ("accept", "variant"),
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
        (V1_HTML, "html"),
        ("image/png", "html"),
        (["text/html;q=0.1", JSON], "json"),
        (["text/html", f"{JSON};q=0"], "html"),
    ],
)
def test_the_form_follows_the_accept_field(accept: str | list[str], variant: str) -> None:
    plan = planned("/simple/six/", accept=accept)
    assert plan.key == f"/pypi/simple/six/ {variant}"
    assert (plan.send.get("accept") or "").startswith(JSON if variant == "json" else "text/html")
    assert planned("/simple/", accept=accept).key == f"/pypi/simple/ {variant}"


@pytest.mark.parametrize(
    ("query", "variant"),
    [
        (f"format={JSON}", "json"),
        ("format=application%2Fvnd.pypi.simple.latest%2Bjson", "json"),
        ("format=text/html", "html"),
        ("format=other", "html"),
        ("x=1", "json"),
    ],
)
def test_the_format_parameter_overrules_the_accept_field(query: str, variant: str) -> None:
    assert planned("/simple/six/", query, accept=JSON).key == f"/pypi/simple/six/ {variant}"


@pytest.mark.parametrize(("accept", "content_type"), [(PIP, "text/html"), ("", "text/html"), (V1_HTML, V1_HTML)])
def test_html_is_given_the_type_that_the_client_can_take(accept: str, content_type: str) -> None:
    rewrite = planned("/simple/six/", accept=accept).rewrite
    assert rewrite is not None
    assert rewrite.apply(b"<p>", Headers.of({"content-type": V1_HTML})).content_type == f"{content_type}; charset=utf-8"
    assert rewrite.variant == content_type
    assert rewrite.vary == "Accept"
