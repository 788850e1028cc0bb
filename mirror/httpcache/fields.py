"""Field values as RFC 9110, 9111 and 9213 write them: dates, directives, lists, tags, ranges. No parser ever raises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from mirror.model import Headers

SECONDS_MAX = 2**31  # RFC 9111 §1.2.2: what delta-seconds that are too large count as

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

_DAY = f"(?:{'|'.join(_DAYS)})"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9]|60)"
_CASELESS = re.ASCII | re.IGNORECASE
_IMF = re.compile(rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT", _CASELESS)
_RFC850 = re.compile(
    "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, "
    rf"(?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
    _CASELESS,
)
_IMF_LENGTH = 29
_ASCTIME = re.compile(rf"{_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})", _CASELESS)


def parse_date(text: str | None, now: float) -> int | None:
    """POSIX seconds of an HTTP-date in one of the three formats of RFC 9110 §5.6.7, GMT only, any case; None otherwise.

    `now` places the two-digit years of RFC 850: never more than 50 years ahead of it. Weekdays are not compared.
    """
    if text is None:
        return None
    if len(text) == _IMF_LENGTH:
        return _imf_date(text)
    match = _RFC850.fullmatch(text) or _ASCTIME.fullmatch(text)
    return None if match is None else _moment(match, now)


@lru_cache(maxsize=1024)
def _imf_date(text: str) -> int | None:
    """An IMF-fixdate, which depends on no clock: the dates of hot answers are read once."""
    match = _IMF.fullmatch(text)
    return None if match is None else _moment(match, 0.0)


def _moment(match: re.Match[str], now: float) -> int | None:
    digits, name = match["year"], match["month"]
    month, day = _MONTHS.index(name.capitalize()) + 1, int(match["day"])
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    try:
        year = int(digits) if len(digits) == 4 else _full_year(int(digits), (month, day, hour, minute, second), now)
        days = date(year, month, day).toordinal() - _EPOCH_ORDINAL
    except (ValueError, OverflowError):  # no such day, or a clock beyond the calendar
        return None
    return days * 86400 + hour * 3600 + minute * 60 + second


def _full_year(two_digits: int, rest: tuple[int, int, int, int, int], now: float) -> int:
    """The latest year with these last digits that puts the date at most 50 years ahead (RFC 9110 §5.6.7)."""
    today = _EPOCH + timedelta(seconds=now)
    limit = (today.year + 50, today.month, today.day, today.hour, today.minute, today.second)
    year = today.year - today.year % 100 + 100 + two_digits
    while (year, *rest) > limit:
        year -= 100
    return year


def format_date(seconds: float) -> str:
    """POSIX seconds as IMF-fixdate, rounded down (RFC 9110 §5.6.7). OverflowError outside the years 1 to 9999."""
    moment = _EPOCH + timedelta(seconds=seconds // 1)
    day = f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month - 1]} {moment.year:04d}"
    return f"{day} {moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} GMT"


def delta_seconds(text: str | None) -> int | None:
    """Non-negative decimal seconds, at most `SECONDS_MAX`; None for anything but ASCII digits (RFC 9111 §1.2.2)."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    return min(int(digits or "0"), SECONDS_MAX) if len(digits) <= 10 else SECONDS_MAX


# Possessive throughout: a hostile field costs linear time. The group is set where a quoted string does not end.
_MEMBER = re.compile(r'(?:[^",]++|"(?:[^"\\]++|\\.)*+(?:"|(\\?\Z)))++', re.DOTALL)


def split_list(text: str) -> list[str]:
    """The members of a comma list, stripped, none empty; commas in quoted strings do not split (RFC 9110 §5.6.1).

    Where a quote is never closed, every comma splits: an open quote must not hide a `no-store`.
    """
    members = text.split(",")
    if '"' in text:
        matches = list(_MEMBER.finditer(text))
        if all(match[1] is None for match in matches):
            members = [match[0] for match in matches]
    return [stripped for member in members if (stripped := member.strip(" \t"))]


@dataclass(frozen=True, slots=True)
class Directives:
    """Cache directives: lower-case name -> argument without its quotes, None without one, "" where it cannot be used.

    `targeted` is True where they stood in CDN-Cache-Control and so replace Expires, too (RFC 9213 §2.2).
    """

    arguments: Mapping[str, str | None]
    targeted: bool = False

    def __contains__(self, name: str) -> bool:
        return name in self.arguments

    def seconds(self, name: str) -> int | None:
        """The argument in seconds; 0 where malformed, missing or contradictory (§4.2.1); None without the directive."""
        return (delta_seconds(self.arguments[name]) or 0) if name in self.arguments else None


_NO_DIRECTIVES = Directives({})
_MEMORABLE = 256  # characters of a value that is worth remembering
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def cache_control(text: str | None) -> Directives:
    """The directives of a Cache-Control value, of a request or a response (RFC 9111 §5.2); the unreadable left out."""
    if not text:
        return _NO_DIRECTIVES
    return _known(text) if len(text) <= _MEMORABLE else _read(text)


@lru_cache(maxsize=1024)
def _known(text: str) -> Directives:
    """There are few different ones, and reading them is what costs most in deciding about a hit."""
    return _read(text)


def _read(text: str) -> Directives:
    arguments: dict[str, str | None] = {}
    for member in split_list(text):
        match = _NAME.match(member)
        if match is None:
            continue
        name, rest = match[0].lower(), member[match.end() :]
        argument = _argument(rest) if rest else None
        contradicted = name in arguments and arguments[name] != argument
        arguments[name] = "" if contradicted else argument
    return Directives(arguments)


def _argument(rest: str) -> str:
    """What follows a directive's name, `=token` or `="quoted string"`, as the plain text; "" for anything else."""
    if rest[0] != "=":
        return ""
    value = rest[1:]
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return _ESCAPED.sub(r"\1", value[1:-1])
    return value


_KEY = r"[a-z*][a-z0-9_.*\-]*+"
_BARE = (
    r"(?:-?[0-9]{1,12}\.[0-9]{1,3}|-?[0-9]{1,15}"  # decimal, integer
    r'|"(?:[ !#-\[\]-~]|\\["\\])*+"|:[A-Za-z0-9+/=]*+:|\?[01]'  # string, bytes, boolean
    r"|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*+)"  # token
)
_PARAMETERS = rf"(?:; *+{_KEY}(?:={_BARE})?)*+"
_INNER_LIST = rf"\( *+(?:{_BARE}{_PARAMETERS}(?: ++{_BARE}{_PARAMETERS})*+)?+ *+\)"
_DICTIONARY_MEMBER = re.compile(rf"({_KEY})(?:=({_BARE}|{_INNER_LIST}))?{_PARAMETERS}")
_SEPARATOR = re.compile(r"[ \t]*,[ \t]*")


def targeted(text: str) -> Directives | None:
    """The directives of a CDN-Cache-Control value; None where it is empty or no Dictionary (RFC 9213 §2.1)."""
    text, arguments, position = text.strip(" "), dict[str, str | None](), 0
    while match := _DICTIONARY_MEMBER.match(text, position):
        key, argument = match.groups()
        arguments.pop(key, None)  # RFC 9651 §4.2.2: the last one counts
        if argument != "?0":
            # A string keeps its quotes: max-age="60" has the wrong type and is no number of seconds.
            arguments[key] = None if argument == "?1" else argument
        if match.end() == len(text):
            return Directives(arguments, targeted=True)
        separator = _SEPARATOR.match(text, match.end())
        if separator is None:
            return None
        position = separator.end()
    return None


_TAG = re.compile(r'(?:W/)?"[^\x00-\x20"\x7f]*+"')


def entity_tag(text: str | None) -> str | None:
    """The value if it is exactly one entity-tag, `W/` included (RFC 9110 §8.8.3), else None."""
    return text if text is not None and _TAG.fullmatch(text) else None


def entity_tags(text: str) -> tuple[str, ...]:
    """The members of a list of entity-tags; none at all where anything else stands in it. `*` is the caller's."""
    # Not split_list: a backslash escapes nothing in an entity-tag.
    return () if _TAG.sub("", text).strip(" \t,") else tuple(_TAG.findall(text))


def same_strongly(one: str, other: str) -> bool:
    """Strong comparison (RFC 9110 §8.8.3.2)."""
    return one == other and not one.startswith("W/")


def same_weakly(one: str, other: str) -> bool:
    """Weak comparison (RFC 9110 §8.8.3.2)."""
    return one.removeprefix("W/") == other.removeprefix("W/")


@dataclass(frozen=True, slots=True)
class ContentRange:
    """The bytes [start, end) of `size`, None where it was not told. `start == end`: no bytes (`bytes */size`)."""

    start: int
    end: int
    size: int | None


_CONTENT_RANGE = re.compile(
    r"bytes (?:(?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})/(?P<size>[0-9]{1,18}|\*)|\*/(?P<whole>[0-9]{1,18}))",
    _CASELESS,
)


def content_range(text: str | None) -> ContentRange | None:
    """A Content-Range value (RFC 9110 §14.4), or None where it is malformed or contradicts itself."""
    match = _CONTENT_RANGE.fullmatch(text) if text is not None else None
    if match is None:
        return None
    if match["whole"] is not None:
        return ContentRange(0, 0, int(match["whole"]))
    start, end = int(match["first"]), int(match["last"]) + 1
    size = None if match["size"] == "*" else int(match["size"])
    return ContentRange(start, end, size) if start < end and (size is None or end <= size) else None


_HOP_BY_HOP = (
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization"),
    *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
)


def end_to_end(headers: Headers) -> Headers:
    """These fields less the hop-by-hop ones and those that Connection names (RFC 9110 §7.6.1, RFC 9111 §3.1)."""
    named = split_list((headers.get("connection") or "").lower())
    return headers.without(*_HOP_BY_HOP, *named)
