"""The list of all projects (PEP 503, 691), tens of megabytes long: gone through name by name, not in one step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from mirror.ecosystems import json_text
from mirror.ecosystems.bodies import decoded, json_bytes
from mirror.ecosystems.simple_html import (
    Edit,
    Tag,
    attribute_text,
    edited,
    named,
    stated_serial,
    tags,
    text_of,
    words_behind,
)
from mirror.ecosystems.simple_links import PROJECT, normalized
from mirror.ecosystems.simple_project import VERSION
from mirror.ecosystems.simple_rendered import HTML_VERSION, foot, head
from mirror.ecosystems.simple_types import JSON, as_made, as_sent, checked_version, is_json, serial
from mirror.errors import OriginError
from mirror.model import Headers, Rewritten

_SLICE = 128 * 1024


def rewritten(body: bytes, headers: Headers, *, form: str) -> Rewritten:
    """The list in one of the three forms, with relative links, made while it is taken.

    OriginError where it is no such page, or of another version than 1 (PEP 629).
    """
    plain = decoded(body, headers)
    text = text_of(plain)
    if not is_json(headers):
        return _from_html(text, headers, form)
    meta = json_text.read(lambda: _checked(text))
    if form == JSON:
        return Rewritten((plain[at : at + _SLICE] for at in range(0, len(plain), _SLICE)), JSON)
    number = serial(headers, meta.get("_last-serial"))
    return Rewritten(json_text.chunked(_as_html(_names(text), number)), as_made(form))


def _from_html(text: str, headers: Headers, form: str) -> Rewritten:
    found = tags(text)
    before = list(takewhile(lambda tag: tag.name != "a", tags(text)))
    for version in named(before, VERSION):
        checked_version(version)
    if form == JSON:
        number = serial(headers, stated_serial(text))
        return Rewritten(json_text.chunked(_as_json(text, found, number)), JSON)
    return Rewritten(json_text.chunked(edited(text, _edits(found))), as_sent(form, headers))


def _checked(text: str) -> dict[str, Any]:
    """The list's `meta`, when all of it is right: whoever takes the pieces later can meet nothing wrong."""
    meta: dict[str, Any] = {}
    listed = False
    cursor = json_text.Cursor(text)
    for key in cursor.members():
        if key == "projects":
            listed = True
            for project in cursor.elements():
                _name(project)
            continue
        value = cursor.value()
        if key == "meta":
            meta = value if isinstance(value, dict) else {"api-version": None}
    cursor.end()
    checked_version(meta.get("api-version", "1.0"))
    if not listed:
        raise OriginError("the origin's document does not list projects")
    return meta


def _name(project: object) -> str:
    name = project.get("name") if isinstance(project, dict) else None
    if not isinstance(name, str):
        raise OriginError("the origin's list has a project without a name")
    return name


def _names(text: str) -> Iterator[str]:
    cursor = json_text.Cursor(text)
    for key in cursor.members():
        if key == "projects":
            yield from map(_name, cursor.elements())
        else:
            cursor.value()


def _as_html(names: Iterator[str], number: int | None) -> Iterator[bytes]:
    yield head("Simple index", {VERSION: HTML_VERSION})
    for name in names:
        if PROJECT.fullmatch(name):  # hence nothing in it has to be escaped
            yield f'    <a href="{normalized(name)}/">{name}</a><br />\n'.encode()
    yield foot(number)


def _as_json(text: str, found: Iterator[Tag], number: int | None) -> Iterator[bytes]:
    meta = {"api-version": "1.0"} | ({} if number is None else {"_last-serial": number})
    mark = b""
    yield b'{"meta":' + json_bytes(meta) + b',"projects":['
    for tag in found:
        if project := _project(tag):
            words = words_behind(text, tag)
            shown = PROJECT.fullmatch(words) and normalized(words) == normalized(project)
            yield mark + b'{"name":"%b"}' % (words if shown else project).encode()
            mark = b","
    yield b"]}"


def _project(tag: Tag) -> str:
    """The project that a link leads to, or ""."""
    href = tag.get("href") if tag.name == "a" else None
    project = (href or "").partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2]
    return project if PROJECT.fullmatch(project) else ""


def _edits(found: Iterator[Tag]) -> Iterator[Edit]:
    for tag in found:
        href = tag.attributes.get("href")
        if tag.name == "base" and href:  # our relative links must resolve against our own address
            yield Edit(href.name_start, href.end, "")
        elif href and (project := _project(tag)):
            yield Edit(href.start, href.end, attribute_text(f"{project}/"))
