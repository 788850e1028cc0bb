"""What is fuzzed: one parser, and what it is started from."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from mirror.errors import MirrorError

HEX = "a" * 64


@dataclass(frozen=True, slots=True)
class Target:
    """One parser. `call` raises what is no error of ours."""

    call: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]

    def __call__(self, given: bytes) -> None:
        with contextlib.suppress(MirrorError):
            self.call(given)


def seed(value: object) -> bytes:
    """The value as JSON."""
    return json.dumps(value).encode()


JSON_WORDS = (b"{", b"[", b'"', b"}", b"]", b":", b",", b'{"":', b"1e999", b"-", b"null", b"\\ud800", b'"\\u0000"')
JSON_WORDS += (b'"files":', b'"versions":', b'"dist":', b'"size":9', b"NaN", b"\xff", b"\xef\xbb\xbf", b" ")
