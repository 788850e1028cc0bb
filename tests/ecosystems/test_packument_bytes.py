"""Packuments rewritten where they stand: the same document as if parsed, changed and written; other bytes untouched."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems import packuments
from mirror.errors import OriginError
from mirror.model import Headers

OURS = "http://host:8000/npm"
TARBALL = "https://upstream.test/six/-/six-{}.tgz"
ATTESTATIONS = "https://upstream.test/-/npm/v1/attestations/six@{}"
WORDS = (
    "tarball",
    "dist",
    "versions",
    "attestations",
    "url",
    "name",
    'x"',
    "\\",
    "größe",
    "\u2028",
    "😀",
    "\ud800",
    "",
)
DECOY = '{"dist":{"tarball":"https://upstream.test/decoy.tgz"}}'

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
strings = st.sampled_from((*WORDS, DECOY)) | st.text(max_size=5)
values = st.recursive(
    scalars | strings,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | strings, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def manifests(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """A version that says where it is or does not, among other members."""
    dist = draw(st.dictionaries(strings, values, max_size=3))
    others = draw(st.dictionaries(strings, values, max_size=3))
    if draw(st.booleans()):
        dist["tarball"] = TARBALL.format(number)
    if draw(st.booleans()):
        beside = draw(st.dictionaries(strings, values, max_size=2))
        dist["attestations"] = beside | {"url": ATTESTATIONS.format(number)}
    return shuffled(draw, others | {"dist": draw(values) if draw(st.integers(0, 4)) == 0 else dist})


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A packument with decoys of all kinds around its versions."""
    names = draw(st.lists(st.sampled_from(WORDS) | strings, max_size=4, unique=True))
    versions = {name: draw(manifests(number)) for number, name in enumerate(names)}
    others = draw(st.dictionaries(strings, values, max_size=4))
    return shuffled(draw, others | {"name": "six", "versions": versions, "readme": DECOY})


def shuffled(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in draw(st.permutations(list(document)))}


def written(value: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> str:
    """The value as JSON with odd spacing and odd escapes."""
    space = draw(st.sampled_from(["", "", " ", "\n\t\r "]))
    if isinstance(value, dict):
        members = (f"{space}{written(k, draw)}{space}:{space}{written(v, draw)}{space}" for k, v in value.items())
        return "{" + (",".join(members) or space) + "}"
    if isinstance(value, list):
        return "[" + (",".join(f"{space}{written(inner, draw)}{space}" for inner in value) or space) + "]"
    if isinstance(value, str) and value and draw(st.integers(0, 3)) == 0:
        rest = json.dumps(value[1:], ensure_ascii=draw(st.booleans()))[1:]
        first = value[0].encode("utf-16-be", "surrogatepass").hex()
        return '"' + "".join(f"\\u{first[at : at + 4]}" for at in range(0, len(first), 4)) + rest
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


def expected(document: Any) -> Any:
    """What clients should get, by parsing the whole."""
    changed = json.loads(json.dumps(document))
    for manifest in changed["versions"].values():
        dist = manifest["dist"]
        if isinstance(dist, dict):
            if str(dist.get("tarball")).startswith("https://upstream.test/six"):
                dist["tarball"] = f"{OURS}/six/-/{dist['tarball'].rpartition('/')[2]}"
            attestations = dist.get("attestations")
            if isinstance(attestations, dict) and str(attestations.get("url")).startswith("https:"):
                attestations["url"] = f"{OURS}/-/npm/v1/attestations/" + attestations["url"].rpartition("/")[2]
    return changed


def rewritten(body: bytes, *, short: bool = False) -> bytes:
    return packuments.rewritten(body, Headers(), package="six", mount=OURS, short=short).body


@given(documents(), st.data())
def test_the_document_is_the_same_as_if_it_had_been_parsed(document: dict[str, Any], data: st.DataObject) -> None:
    body = written(document, data.draw).encode("utf-8", "backslashreplace")
    assert json.loads(body) == document
    assert json.loads(rewritten(body)) == expected(document)


@given(documents(), st.data())
def test_the_short_form_is_part_of_the_same_document(document: dict[str, Any], data: st.DataObject) -> None:
    body = written(document, data.draw).encode("utf-8", "backslashreplace")
    made = json.loads(rewritten(body, short=True))
    assert made["name"] == "six"
    kept = ("dist", "name")
    assert made["versions"] == {
        version: {name: manifest[name] for name in manifest if name in kept}
        for version, manifest in expected(document)["versions"].items()
    }


def test_bytes_that_need_not_change_stay() -> None:
    body = (
        b'\xef\xbb\xbf {"\\u006eame" : "six",\n "a": 1.50e+0, "b": 100000000000000000000000001, "c": "\\u00e9\\/", '
        b'"versions": {"1.0.0": {"dist"\t: {"a": 1, "t\\u0061rball": "https:\\/\\/upstream.test/six-1.tgz" , "z": -0'
        b' } } }, "d": [ ] }\r\n'
    )
    changed = body.replace(b'"https:\\/\\/upstream.test/six-1.tgz"', f'"{OURS}/six/-/six-1.tgz"'.encode())
    assert rewritten(body) == changed.removeprefix(b"\xef\xbb\xbf ")


def test_of_members_that_are_there_twice_the_last_counts_as_it_does_for_clients() -> None:
    url = '"https://upstream.test/{}.tgz"'
    one = f'{{"dist":{{"tarball":{url.format("a")}}},"dist":{{"tarball":5,"tarball":{url.format("b")}}}}}'
    text = f'{{"name":1,"versions":{{"x":1}},"versions":{{"1":{{}},"2":{one},"1":{one}}},"name":"six"}}'
    versions = json.loads(rewritten(text.encode()))["versions"]
    assert [version["dist"]["tarball"] for version in versions.values()] == [f"{OURS}/six/-/b.tgz"] * 2


def test_names_that_are_not_ascii_are_read_as_what_they_are() -> None:
    text = '{"name":"six","dist-tags":{"größe":"1-ä"},"versions":{"1-ä":{"dist":{"tarball":'
    text += '"https://upstream.test/gr\\u00f6ße.tgz"}},"1-\\u00e4\\ud83d\\ude00😀":{}}}'
    versions = json.loads(rewritten(text.encode(), short=True))["versions"]
    assert versions == {"1-ä": {"dist": {"tarball": f"{OURS}/six/-/gr%C3%B6%C3%9Fe.tgz"}}, "1-ä😀😀": {}}
    (fact,) = packuments.facts(text.encode(), Headers(), package="six")
    assert (fact.name, fact.url) == ("/six/-/gr%C3%B6%C3%9Fe.tgz", "https://upstream.test/gr%C3%B6%C3%9Fe.tgz")
    manifest = packuments.manifest(text.encode(), Headers(), package="six", mount=OURS, wanted="größe")
    assert json.loads(manifest.body) == versions["1-ä"]


LARGE = {
    "a string": json.dumps("x\u00e4\\" * 800_000),
    "a list": "[" + "[1,2,3]," * 140_000 + "0]",
    "an object": "{" + ",".join(f'"the key {n}":{{"a":[{n}]}}' for n in range(50_000)) + "}",
    "lists in lists": "[[[" + '"0123456789",' * 100_000 + "0]],{}]",
    "spaces": " " * 500_000 + "1" + " " * 500_000,
}


@pytest.mark.parametrize("large", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("place", ["before", "within", "behind"])
def test_what_is_larger_than_the_window_is_walked_over(large: str, place: str) -> None:
    def put(where: str) -> str:
        return large if place == where else "0"

    dist = f'{{"a":{put("within")},"tarball":"https://upstream.test/six-1.tgz"}}'
    text = f'{{"x":{put("before")},"name":"six","versions":{{"1":{{"dist":{dist}}}}},"y":{put("behind")}}}'
    changed = text.replace("https://upstream.test/six-1.tgz", f"{OURS}/six/-/six-1.tgz")
    assert rewritten(text.encode()) == changed.encode()
    assert json.loads(rewritten(text.encode(), short=True))["versions"] == json.loads(changed)["versions"]


@pytest.mark.parametrize("shift", range(40))
def test_the_windows_end_may_be_anywhere(shift: int) -> None:
    filler = json.dumps("x" * ((1 << 20) - 60 - shift))
    text = f'{{"x":{filler},"name" : "six" , "n":-12.5e+3 ,"t":true,"\\u0076ersions":{{"1":{{"dist":{{"tarball":'
    text += '"https://upstream.test/six-1.tgz"}}}}'
    changed = text.replace("https://upstream.test/six-1.tgz", f"{OURS}/six/-/six-1.tgz")
    assert rewritten(text.encode()) == changed.encode()


VERSIONS = '{"name":"six","versions":{%s}}'


@pytest.mark.parametrize(
    "text",
    [
        VERSIONS % "" + "x",
        VERSIONS % "" + VERSIONS % "",
        VERSIONS % '"1":{},',
        VERSIONS % ',"1":{}',
        VERSIONS % '"1":{"dist":{"tarball":"x"}',
        VERSIONS % '"1":{"a":01}',
        VERSIONS % '"1":{"a":NaN}',
        VERSIONS % '"1":{"a":-Infinity}',
        VERSIONS % '"1":{"a":tru}',
        VERSIONS % '"1":{"a" "b"}',
        VERSIONS % '"1":{a:1}',
        VERSIONS % '"1":{"a":"\n"}',
        VERSIONS % '"1":{"\n":1}',
        VERSIONS % '"1":{"a":"\\x"}',
        VERSIONS % '"1":{"a":[1,]}',
        VERSIONS % '"1":{"a":' + "[" * 100_000,
        VERSIONS % ('"1":{"a":' + "[" * 5_000 + "]" * 5_000 + "}"),
        VERSIONS % ('"1":{"a":"' + "x" * (1 << 20)),
        VERSIONS % ('"1":{"a":[' + "1," * (1 << 20)),
        VERSIONS % ('"1":{"a":{"b":"' + "x" * (17 << 20) + '"}}'),
        '{"name":"six","versions":{}',
        '{"name":"six","versions":{"1":',
        '"name"',
        "",
        " ",
    ],
)
def test_what_is_no_json_is_the_origins_error(text: str) -> None:
    with pytest.raises(OriginError, match="JSON"):
        rewritten(text.encode())


@pytest.mark.parametrize("broken", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80"])
@pytest.mark.parametrize("size", [0, (1 << 20) - 12])
def test_what_is_no_utf_8_is_the_origins_error(broken: bytes, size: int) -> None:
    with pytest.raises(OriginError, match="UTF-8"):
        rewritten(b'{"readme":"' + b"x" * size + broken + b'","name":"six","versions":{}}')
