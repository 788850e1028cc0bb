"""Canonical paths: one spelling for each path that a client can ask for, and no path that a mirror cannot mean."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes, urlsplit

from mirror.errors import RequestError
from mirror.model import Mirror, Request

MAX_BYTES = 2048

# What a path segment may hold unencoded (RFC 3986 §3.3). "?" and the space are not among them, so that a key's query
# and variant can be told from its path.
_SEGMENT_CHARACTERS = "/@:+!$&'()*,;="
_ILLEGAL = re.compile(r"[^!-~]|#")
_MALFORMED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_SEPARATOR = re.compile(rb"[/\\]")


def decoded(raw: str) -> str:
    """The path that `raw` spells, percent-decoded once; a trailing slash is kept.

    RequestError where it is not a legal path, over 2048 bytes, or has a `.`, `..` or empty segment, a backslash,
    a control byte or bytes that are not UTF-8.
    """
    plain = _bytes(raw)
    if _MALFORMED.search(raw):
        raise RequestError("the path has a percent sign that encodes nothing")
    if len(plain) > MAX_BYTES:
        raise RequestError(f"the path is longer than {MAX_BYTES} bytes")
    try:
        path = plain.decode()
    except UnicodeDecodeError as exc:
        raise RequestError("the path is not UTF-8") from exc
    segments = path[1:].split("/")
    if "\\" in path or not {".", ".."}.isdisjoint(segments) or "" in segments[:-1]:
        raise RequestError("the path has a segment that is empty, '.', '..' or holds a backslash")
    return path


def encoded(path: str | bytes) -> str:
    """The one encoded form of a decoded path; the inverse of `decoded`."""
    return quote(path, safe=_SEGMENT_CHARACTERS)


def canonical(raw: str) -> str:
    """The one encoded form of a raw path; RequestError as `decoded`."""
    return encoded(decoded(raw))


def untouched(raw: str) -> str:
    """`raw` as it is, for origins whose paths mean nothing to us; RequestError on control bytes and every `..`."""
    if b".." in _SEPARATOR.split(_bytes(raw)):
        raise RequestError("the path has a segment '..'")
    return raw


def query(raw: str) -> str:
    """`?` and the raw query, or "" where there is none; RequestError on what a query cannot hold."""
    if _ILLEGAL.search(raw):
        raise RequestError("the query has a character that must be percent-encoded")
    return f"?{raw}" if raw else ""


def mount(mirror: Mirror, request: Request) -> str:
    """The path of the mirror as this client sees it (`/pypi`), for a Location without scheme and host."""
    return urlsplit(request.base).path.rstrip("/") or f"/{mirror.name}"


def _bytes(raw: str) -> bytes:
    if not raw.startswith("/") or _ILLEGAL.search(raw):
        raise RequestError("the path has a character that must be percent-encoded")
    plain = unquote_to_bytes(raw)
    if _CONTROL.search(plain):
        raise RequestError("the path has a control byte")
    return plain
