"""Which keys of two configurations differ, and what of the new one a running server takes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from mirror.comparing import changed, known, taken
from mirror.config import load
from mirror.operations.reloading import Loaded
from mirror.settings import Config

BEGIN = """
[server]
listen = "127.0.0.1:8000"
[cache]
path = "c"
[upstream]
retries = 2
[mirrors.a]
ecosystem = "http"
upstream = "http://upstream.test"
[mirrors.b]
ecosystem = "any"
allow = ["downloads.example.com"]
"""

Write = Callable[..., Config]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """The configuration that BEGIN is when each (old, new) was replaced in it."""

    def written(*changes: tuple[str, str]) -> Config:
        text = BEGIN
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "config.toml").write_text(text)
        return load(tmp_path / "config.toml")

    return written


CHANGES = [
    ("retries = 2", "retries = 3", ["upstream.retries"]),
    ("[upstream]", '[admin]\ntoken = "a long enough secret"\n[upstream]', ["admin.token"]),
    ("[mirrors.a]", '[mirrors.a]\nttl = "1m"', ["mirrors.a.ttl"]),
    ("http://upstream.test", "http://other.test", ["mirrors.a.upstream"]),
    ("http://upstream.test", "http://127.0.0.1", ["mirrors.a.upstream"]),
    ("[mirrors.a]", '[mirrors.a]\nredirects = "follow"', ["mirrors.a.redirects"]),
    ("[mirrors.a]", "[mirrors.a]\nallow_private = true", ["mirrors.a.allow_private"]),
    ("downloads.example.com", "*.example.com", ["mirrors.b.allow"]),
    ("[mirrors.a]", '[mirrors.a]\nmax_size = "1GB"', ["mirrors.a.max_size"]),
    ("[mirrors.a]", '[mirrors.a]\nauth = "bearer env:PATH"', ["mirrors.a.auth"]),
    ("[mirrors.b]", "[mirrors.c]", ["mirrors.b", "mirrors.c"]),
    ("[upstream]", '[log]\nlevel = "debug"\n[upstream]', ["log.level"]),
    ("retries = 2", "retries = 2", []),
]


@pytest.mark.parametrize(("old", "new", "keys"), CHANGES, ids=lambda value: str(value)[:40])
def test_the_keys_that_differ_are_named_as_they_are_written(write: Write, old: str, new: str, keys: list[str]) -> None:
    before, after = write(), write((old, new))
    assert changed(before, after) == keys
    assert taken(before, after) == (after, [])


def test_what_counts_from_the_start_stays_and_waits(write: Write) -> None:
    before = write()
    after = write(
        ("127.0.0.1:8000", "127.0.0.1:8001"),
        ('path = "c"', 'path = "d"\ndurability = "none"\nmax_size = "1GB"'),
        ("[cache]", 'workers = 2\ndrain = "1s"\n[cache]'),
    )
    config, waiting = taken(before, after)
    assert waiting == ["server.listen", "server.workers", "cache.path", "cache.durability"]
    assert changed(before, config) == ["server.drain", "cache.max_size"]
    assert taken(config, after) == (config, waiting)
    assert taken(config, before)[1] == []


def test_names_keep_their_order_and_those_that_have_gone_their_place(write: Write) -> None:
    first = known((), write())
    assert first == ("a", "b")
    second = known(first, write(("[mirrors.a]", "[mirrors.z]")))
    assert second == ("a", "b", "z")
    assert known(second, write()) == second


def test_a_configuration_can_be_given_to_another_process(write: Write) -> None:
    loaded = Loaded.first(write(("[mirrors.a]", '[mirrors.a]\nttl = "1m"')), 7.0)
    assert pickle.loads(pickle.dumps(loaded)) == loaded  # noqa: S301
