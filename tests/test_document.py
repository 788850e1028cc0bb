"""Lines of keys, and TOML that is none."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.document import Document, Problem
from mirror.errors import ConfigError

TRICKY = '''\
# a comment with [brackets] and key = 1
[server]   # listen = "here?"

listen = """
[cache]
path = 1
""" # the end
"quoted.key" = 'x'
hosts = [ # a list
  "a]", # ]
  """b
""",
]
drain = "7s"
[mirrors]
a.ttl = "1s"
a.upstream = { x = 1, y.z = [1, 2] }
[mirrors."x.y".deep]
key = 0
'''


def document(tmp_path: Path, text: str | bytes) -> Document:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Document.read(path)


def line_of(found: Document, *path: str) -> int:
    (line,) = found.located([Problem(path[:-1], path[-1], "x")])
    return int(line.removeprefix(f"{found.path}:").partition(":")[0])


SEVERAL = """\
[[policy.deny]]
packages = ["a"]
[[policy.deny]]

packages = ["b"]
[other]
deny_more = [{ packages = "c" }]
"""


def test_tables_of_one_name_are_told_apart(tmp_path: Path) -> None:
    found = document(tmp_path, SEVERAL)
    assert line_of(found, "policy", "deny", "#1", "packages") == 2
    assert line_of(found, "policy", "deny", "#2", "packages") == 5
    assert line_of(found, "policy", "deny", "#2", "missing") == 3
    assert line_of(found, "other", "deny_more", "#1", "packages") == 7
    problems = [Problem(("policy", "deny", "#2"), "packages", "x"), Problem(("policy", "deny", "#1"), "", "x")]
    told = [line.removeprefix(str(found.path)) for line in found.located(problems)]
    assert told == [":1: [[policy.deny]]: x", ":5: [[policy.deny]] packages: x"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_each_key_has_the_line_on_which_it_begins(tmp_path: Path, ending: str) -> None:
    found = document(tmp_path, TRICKY.replace("\n", ending))
    assert line_of(found, "server", "listen") == 4
    assert line_of(found, "server", "quoted.key") == 8
    assert line_of(found, "server", "hosts") == 9
    assert line_of(found, "server", "drain") == 14
    assert line_of(found, "mirrors", "a", "ttl") == 16
    assert line_of(found, "mirrors", "a", "upstream") == 17
    assert line_of(found, "mirrors", "a", "upstream", "y", "z") == 17
    assert line_of(found, "mirrors", "x.y", "deep", "key") == 19


def test_missing_key_stands_at_its_table_and_missing_table_at_the_file(tmp_path: Path) -> None:
    found = document(tmp_path, "\n[server]\n")
    problems = [Problem(("server",), "listen", "missing"), Problem(("cache",), "", "missing")]
    assert found.located(problems) == [f"{found.path}: [cache]: missing", f"{found.path}:2: [server] listen: missing"]


def test_names_that_need_quotes_are_quoted(tmp_path: Path) -> None:
    found = document(tmp_path, '["a b"]\n"c\\n" = 1')
    assert found.located([Problem(("a b",), "c\n", "no")]) == [f'{found.path}:2: ["a b"] "c\\n": no']


_names = st.text("ab.[]#= \"'\n", min_size=1, max_size=4)
_texts = st.text("x\n[]=#'", max_size=12)


@settings(deadline=None)  # it writes files
@given(st.dictionaries(_names, st.dictionaries(_names, _texts, max_size=4), max_size=4))
def test_lines_are_right_whatever_stands_in_keys_and_strings(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, dict[str, str]]
) -> None:
    lines: list[str] = []
    expected: dict[tuple[str, str], int] = {}
    for table, keys in tree.items():
        lines.append(f"[{quoted(table)}]")
        for key, value in keys.items():
            expected[table, key] = len(lines) + 1
            lines += f'{quoted(key)} = ["""{value}""",\n] # end'.split("\n")
    text = "\n".join(lines)
    assert tomllib.loads(text) is not None
    found = document(tmp_path_factory.mktemp("lines"), text)
    assert {path: line_of(found, *path) for path in expected} == expected


def quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"[server]\nlisten 1\n", ":2:8: not TOML: Expected '=' after a key in a key/value pair"),
        (b"a = 1\na = 2\n", ":2:6: not TOML: Cannot overwrite a value"),
        (b"a = [1,", ":1:8: not TOML: Invalid value"),
        (b'# \xc3\xa4\na = "\xff"', ":2: not UTF-8 text"),
        (b"a = " + b"[" * 5000, ": not TOML: nested too deeply"),
    ],
)
def test_broken_toml_is_one_problem_with_its_place(tmp_path: Path, text: bytes, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        document(tmp_path, text)
    assert error.value.problems == [f"{tmp_path / 'config.toml'}{problem}"]


def test_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert document(tmp_path, b"\xef\xbb\xbfa = 1").tree == {"a": 1}


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        Document.read(tmp_path / "none.toml")
    assert error.value.problems == [f"{tmp_path / 'none.toml'}: no such file"]


def test_directory_in_place_of_a_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: "):
        Document.read(tmp_path)
