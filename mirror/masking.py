"""Takes secrets out of text that people read: of queries the values that look like credentials, of addresses the
userinfo. Pure, and in time that grows with the text alone, whatever a client puts there."""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["MASK", "masked"]

MASK = "***"

_PARAMETER = re.compile(r"[?&;]([^=&;?\s\"'<>]{1,100})=")
_SECRETS_END = re.compile(r"[&;\s\"'<>]")
_END = re.compile(r"[?&;\s\"'<>]")
_USERINFO = re.compile(r"(?<![^/\s\"'<>])[^/\s\"'<>@?]*@")
_SECRET = re.compile(
    r"token|secret|passw|pwd|signature|credential|auth|session|jwt|assertion|ticket|cookie"
    r"|(?:^|[-_.])(?:key|sig|sign|hmac|code|pass)$|(?:api|access|private|secret|account)key"
    r"|key-pair-id|^policy$|^x-(?:amz|goog|ms|oss|cos)-|^(?:aws|google)access"
)


def masked(text: str) -> str:
    """The text with `***` in the place of each secret that is known by where it stands."""
    return _masked(text, nested=True)


def _masked(text: str, *, nested: bool) -> str:
    if "=" in text:
        text = _parameters(text, nested=nested)
    return _USERINFO.sub(_userinfo, text) if "@" in text else text


def _parameters(text: str, *, nested: bool) -> str:
    """`nested`: a value may be an address itself, percent-encoded, with parameters of its own."""
    pieces, done = [], 0
    for found in _PARAMETER.finditer(text):
        begin = found.end()
        if begin <= done:
            continue
        secret = _SECRET.search(unquote(found[1]).lower())
        stop = _ended(text, begin, _SECRETS_END if secret else _END)
        if stop > begin and (secret or (nested and _encoded(text[begin:stop]))):
            pieces += [text[done:begin], MASK]
            done = stop
    return "".join((*pieces, text[done:])) if pieces else text


def _ended(text: str, begin: int, end: re.Pattern[str]) -> int:
    found = end.search(text, begin)
    return found.start() if found else len(text)


def _encoded(value: str) -> bool:
    """Whether there is a secret in it that percent-encoding hides."""
    plain = unquote(value) if "%" in value else value
    return plain != value and _masked(plain, nested=False) != plain


def _userinfo(found: re.Match[str]) -> str:
    """Behind `//`, `/http/` and `/https/` all before the @ is userinfo; elsewhere only what has a colon in it: names
    of packages have an @, too."""
    before = found.string[max(0, found.start() - 7) : found.start()].lower()
    leads = before.endswith(("//", "/http/", "/https/"))
    return f"{MASK}@" if leads or ":" in found[0] else found[0]
