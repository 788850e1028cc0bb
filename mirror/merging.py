"""What a client's configuration file becomes when the mirror is written into it: text in, text out, the rest kept.

Each function gives the text back as it is where the mirror is in it already, and raises NotMergeable where a file is
written in a way that it cannot change safely.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from mirror.errors import MirrorError

_Sections = dict[str, dict[str, str]]


class NotMergeable(MirrorError):
    """A person has to write it: what is there may mean something else than it seems to."""


def pip(text: str, options: Mapping[str, str]) -> str:
    """pip.conf with these options in [global]; `trusted-host` is a list, and keeps what it has.

    pip knows `index_url` as `index-url` too, and what a command's own section says counts more than [global].
    """
    before = _sections(text)
    for section, found in before.items():
        if section != "global" and "index-url" in found:
            raise NotMergeable(
                f"it sets index-url in [{section}] too, which counts more than [global]: remove that line"
            )
    known = before.get("global", {})
    wanted = dict(options)
    if "trusted-host" in wanted:
        wanted["trusted-host"] = " ".join(
            dict.fromkeys([*known.get("trusted-host", "").split(), *options["trusted-host"].split()])
        )
    if all(_same(known.get(name), value) for name, value in wanted.items()):
        return text
    after = _in_section(text, "global", wanted)
    if _sections(after) != before | {"global": known | wanted}:
        raise NotMergeable("it is written in a way that only a person can change")
    return after


def _same(found: str | None, value: str) -> bool:
    return found is not None and found.split() == value.split()


def _sections(text: str) -> _Sections:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise NotMergeable(f"pip cannot read it: {str(error).splitlines()[0]}") from error
    return {name: {_option(key): value for key, value in parser.items(name)} for name in parser.sections()}


def _option(key: str) -> str:
    return key.lower().replace("_", "-").removeprefix("--")


def _in_section(text: str, section: str, options: Mapping[str, str]) -> str:
    """The lines with `options` right below the section's header, and without what else it says of them."""
    lines = [f"{name} = {value}\n" for name, value in options.items()]
    kept: list[str] = []
    inside = dropping = done = False
    for line in _lines(text):
        if header := re.match(r"\[(.+)\]", line):
            inside, dropping = header[1] == section, False
            kept += [line, *lines] if inside else [line]
            done = done or inside
            continue
        if line.strip() and not line[0].isspace():
            dropping = inside and _option(re.split(r"\s*[=:]", line.strip(), maxsplit=1)[0]) in options
        if not dropping or not line.strip():
            kept.append(line)
    return "".join(kept if done else [*_apart(kept), f"[{section}]\n", *lines])


def uv(text: str, block: str) -> str:
    """uv.toml with the `[[index]]` of `block` in place of the default index that it names."""
    wanted: dict[str, Any] = tomllib.loads(block)["index"][0]
    before = _toml(text)
    indexes: list[dict[str, Any]] = before.get("index", [])
    places = [place for place, index in enumerate(indexes) if index.get("default")]
    if places and indexes[places[0]] == wanted:
        return text
    if places:
        after = _replaced(text, places[0], block)
        expected = [wanted if place == places[0] else index for place, index in enumerate(indexes)]
    else:
        after = "".join([*_apart(_lines(text)), block])
        expected = [*indexes, wanted]
    try:
        sound = tomllib.loads(after) == before | {"index": expected}
    except tomllib.TOMLDecodeError:
        sound = False
    if not sound:
        raise NotMergeable("it is written in a way that only a person can change")
    return after


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotMergeable(f"uv cannot read it: {error}") from error


def _replaced(text: str, place: int, block: str) -> str:
    """The text with the table `[[index]]` number `place` replaced; blank lines and comments behind it stay."""
    lines = _lines(text)
    headers = [number for number, line in enumerate(lines) if re.match(r"\s*\[", line)]
    tables = [number for number in headers if re.match(r"\s*\[\[\s*index\s*\]\]", lines[number])]
    if place >= len(tables):
        raise NotMergeable("it is written in a way that only a person can change")
    start = tables[place]
    end = next((number for number in headers if number > start), len(lines))
    while end > start + 1 and re.match(r"\s*(#|$)", lines[end - 1]):
        end -= 1
    return "".join([*lines[:start], block, *lines[end:]])


def line(text: str, setting: str, wanted: str) -> str:
    """The text with the one line `wanted` in place of all that match `setting`; lines below a [section] are others."""
    lines = _lines(text)
    end = next((number for number, each in enumerate(lines) if each.startswith("[")), len(lines))
    places = [number for number, each in enumerate(lines[:end]) if re.match(setting, each)]
    if [lines[number].strip() for number in places] == [wanted]:
        return text
    place = places[0] if places else end
    kept = [each for number, each in enumerate(lines) if number not in places]
    return "".join([*kept[:place], wanted + "\n", *kept[place:]])


def yaml_list(text: str, key: str, value: str) -> str:
    """A YAML mapping whose list `key` has `value`: the list may be absent, `[on, one, line]`, or `- one` a line."""
    lines = _lines(text)
    if any(re.match(r"[{\[]", each) for each in lines):
        raise NotMergeable("it is written in a way that only a person can change")
    place = next((number for number, each in enumerate(lines) if re.match(rf"{key}\s*:", each)), None)
    if place is None:
        return "".join([*lines, f'{key}:\n  - "{value}"\n'])
    rest = lines[place].partition(":")[2].split(" #")[0].strip()
    if flow := re.fullmatch(r"\[(.*)\]", rest):
        written = [each.strip() for each in flow[1].split(",") if each.strip()]
        if value in (each.strip("\"'") for each in written):
            return text
        written.append(f'"{value}"')
        lines[place] = f"{key}: [{', '.join(written)}]\n"
        return "".join(lines)
    if rest or place + 1 == len(lines) or not (first := re.match(r"(\s*)- ", lines[place + 1])):
        raise NotMergeable(f"its {key} is written in a way that only a person can change")
    if value in _listed(lines[place + 1 :]):
        return text
    return "".join([*lines[: place + 1], f'{first[1]}- "{value}"\n', *lines[place + 1 :]])


def _listed(lines: list[str]) -> list[str]:
    """The values of the list that begins here."""
    found: list[str] = []
    for each in lines:
        if not (match := re.match(r"""\s*- +["']?([^"'\s]+)""", each)):
            break
        found.append(match[1])
    return found


def _lines(text: str) -> list[str]:
    """The lines with their ends; the last one has one too."""
    lines = text.splitlines(keepends=True)
    return [*lines[:-1], lines[-1].rstrip("\r\n") + "\n"] if lines else []


def _apart(lines: list[str]) -> list[str]:
    """The lines, and a blank one where something stands before what follows."""
    return [*lines, "\n"] if lines and lines[-1].strip() else lines
