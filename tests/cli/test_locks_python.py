"""What is read from requirements.txt, uv.lock, poetry.lock, pdm.lock and pylock.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirror import locks
from mirror.errors import ConfigError
from mirror.locks import Skipped, Wanted

SAMPLES = Path(__file__).parents[1] / "e2e/locks"

REQUIREMENTS = r"""
# a comment
--index-url https://upstream.test/simple
-c constraints.txt
-r more/base.txt
--requirement=dev.txt
-r https://upstream.test/other.txt
six==1.16.0 \
    --hash=sha256:AA11 \
    --hash=sha256:bb22
Flask[async]>=2,<3 ; python_version >= "3.8"  # why not
tool @ https://upstream.test/tool-1.0-py3-none-any.whl#sha256=00
https://upstream.test/bare-1.0.tar.gz#egg=bare
mine @ git+https://upstream.test/mine.git@main
-e ./here
./folder
${SECRET}
old==1.0 --global-option="--no-user-cfg"
plain
"""


def test_requirements_as_pip_reads_them() -> None:
    lock = locks.read(REQUIREMENTS, "requirements")
    assert lock.wanted == [
        Wanted("pypi", "six", "==1.16.0", hashes=frozenset({"sha256:aa11", "sha256:bb22"})),
        Wanted("pypi", "Flask", "<3,>=2", marker='python_version >= "3.8"'),
        Wanted("", "tool", url="https://upstream.test/tool-1.0-py3-none-any.whl"),
        Wanted("", "https://upstream.test/bare-1.0.tar.gz#egg=bare", url="https://upstream.test/bare-1.0.tar.gz"),
        Wanted("pypi", "old", "==1.0"),
        Wanted("pypi", "plain", ""),
    ]
    assert lock.includes == ["more/base.txt", "dev.txt"]
    assert {(one.what, one.reason.partition(":")[0]) for one in lock.skipped} == {
        ("https://upstream.test/other.txt", "included from elsewhere"),
        ("mine", "from git+https, not from an index"),
        ("./here", "editable"),
        ("./folder", "no requirement of an index"),
        ("${SECRET}", "a variable in it"),
    }


def test_all_of_a_real_requirements_file() -> None:
    text = (SAMPLES / "requirements.txt").read_text()
    lock = locks.read(text, locks.kind("requirements.txt", text))
    assert (len(lock.wanted), lock.skipped) == (text.count("=="), [])
    assert all(one.hashes and one.version.startswith("==") for one in lock.wanted)


UV = """
version = 1
requires-python = ">=3.11"

[[package]]
name = "six"
version = "1.16.0"
source = { registry = "https://upstream.test/simple" }
sdist = { url = "https://upstream.test/six-1.16.0.tar.gz", hash = "sha256:aa", size = 1 }
wheels = [{ url = "https://upstream.test/six-1.16.0-py2.py3-none-any.whl", hash = "sha256:bb", size = 1 }]

[[package]]
name = "x"
version = "0.1.0"
source = { virtual = "." }

[[package]]
name = "forked"
version = "2"
source = { git = "https://upstream.test/forked?rev=1#abc" }

[[package]]
name = "single"
version = "3"
source = { url = "https://upstream.test/single-3-py3-none-any.whl" }
"""

POETRY = """
[[package]]
name = "six"
version = "1.16.0"
description = ""
optional = false
python-versions = "*"
groups = ["main"]
markers = "python_version < \\"4\\""
files = [
    {file = "six-1.16.0-py2.py3-none-any.whl", hash = "sha256:bb"},
    {file = "six-1.16.0.tar.gz", hash = "sha256:aa"},
]

[[package]]
name = "inside"
version = "1"
files = []

[package.source]
type = "legacy"
url = "https://upstream.test/simple"
reference = "house"

[[package]]
name = "forked"
version = "2"
files = []

[package.source]
type = "git"
url = "https://upstream.test/forked.git"

[metadata]
lock-version = "2.1"
content-hash = "00"
"""

BEFORE = """
[[package]]
name = "six"
version = "1.16.0"

[metadata.files]
six = [{file = "six-1.16.0.tar.gz", hash = "sha256:aa"}]
"""

PYLOCK = """
lock-version = "1.0"
created-by = "x"

[[packages]]
name = "six"
version = "1.16.0"
marker = "sys_platform != 'win32'"
wheels = [{ name = "six-1.16.0-py2.py3-none-any.whl", hashes = { sha256 = "bb" } }]
[packages.sdist]
name = "six-1.16.0.tar.gz"
hashes = { sha256 = "aa" }

[[packages]]
name = "one"
archive = { url = "https://upstream.test/one.tar.gz", hashes = { sha256 = "cc" } }

[[packages]]
name = "here"
directory = { path = "." }
"""
BOTH = frozenset({"sha256:aa", "sha256:bb"})


@pytest.mark.parametrize(
    ("name", "text", "wanted", "skipped"),
    [
        (
            "uv.lock",
            UV,
            [
                Wanted("pypi", "six", "==1.16.0", hashes=BOTH),
                Wanted("", "single", url="https://upstream.test/single-3-py3-none-any.whl"),
            ],
            [Skipped("x", "from virtual, not from an index"), Skipped("forked", "from git, not from an index")],
        ),
        (
            "poetry.lock",
            POETRY,
            [
                Wanted("pypi", "six", "==1.16.0", hashes=BOTH, marker='python_version < "4"'),
                Wanted("pypi", "inside", "==1"),
            ],
            [Skipped("forked", "from git, not from an index")],
        ),
        ("pdm.lock", BEFORE, [Wanted("pypi", "six", "==1.16.0", hashes=frozenset({"sha256:aa"}))], []),
        (
            "pylock.dev.toml",
            PYLOCK,
            [
                Wanted("pypi", "six", "==1.16.0", hashes=BOTH, marker="sys_platform != 'win32'"),
                Wanted("", "one", url="https://upstream.test/one.tar.gz"),
            ],
            [Skipped("here", "from directory, not from an index")],
        ),
    ],
)
def test_lock_files_of_python(name: str, text: str, wanted: list[Wanted], skipped: list[Skipped]) -> None:
    lock = locks.read(text, locks.kind(f"/some/where/{name}", text))
    assert (lock.wanted, lock.skipped) == (wanted, skipped)


def test_what_is_not_toml_is_told() -> None:
    with pytest.raises(ConfigError, match="not TOML"):
        locks.read("[[package]", "uv")
