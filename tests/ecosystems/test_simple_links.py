"""Links to files: the short way, which nearly all take, comes to the same as the long one."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mirror.ecosystems import simple_links
from mirror.ecosystems.simple_links import Place, place

PAGE = "http://upstream.test/simple/thing/"
HOSTS = [
    "http://files.test",
    "https://Files-x.test:81",
    "http://files.test:0",
    "http://files.test:99999",
    "ftp://f.test",
    "",
]
SEGMENT = st.text("aZ0._~+@-/=%:?&!é \"';,$#", max_size=6)


def test_a_plain_link_is_taken_as_it_stands() -> None:
    url = "https://files.test:8443/packages/aa/bb/thing-1.0+x-py3-none-any.whl"
    path = "/files/packages/aa/bb/thing-1.0+x-py3-none-any.whl"
    assert place(PAGE, f"{url}#sha256=ab") == Place(path, url, "sha256=ab")
    assert place(PAGE, url) == Place(path, url, "")


@given(st.sampled_from(HOSTS), st.lists(SEGMENT, max_size=4), st.sampled_from(["", "#", "#sha256=ab", "#a#b"]))
@example("http://files.test", ["a", "..", "b"], "")
@example("http://files.test", ["x" * 3000], "")
def test_both_ways_come_to_the_same(host: str, segments: list[str], fragment: str) -> None:
    href = host + "".join(f"/{segment}" for segment in segments) + fragment
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simple_links, "_PLAIN", re.compile("(?!)"))
        long_way = place(PAGE, href)
    assert place(PAGE, href) == long_way
