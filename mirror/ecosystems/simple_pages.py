"""Pages of the simple API (PEP 503, 691, 658, 714) and of the legacy JSON API: their facts, their links made ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from mirror.ecosystems import paths
from mirror.ecosystems.bodies import decoded, hex_digest, json_bytes, json_object
from mirror.ecosystems.simple_html import Tag, attribute_text, tags, text_of
from mirror.errors import OriginError, RequestError
from mirror.model import Digest, Fact, Headers, Rewritten, strongest

JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
TEXT_HTML = "text/html"

# A project's name in any spelling (PEP 508).
PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
# PEP 714's name first; the index's own misspelling of the older one last.
_METADATA_KEYS = ("core-metadata", "dist-info-metadata", "data-dist-info-metadata")


class Place(NamedTuple):
    """Where a file is: its path below the mirror, its absolute URL, and the fragment that its link carried."""

    name: str
    url: str
    fragment: str


def place(page: str, href: str) -> Place | None:
    """The place that `href` on the page at URL `page` names, or None where it is no http(s) URL of a file."""
    try:
        address, _, fragment = quote(href.strip(), safe=_PRINTABLE).partition("#")
        url = urljoin(page, address)
        parts = urlsplit(url)
        name = "/files" + paths.canonical(parts.path)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except (ValueError, RequestError):
        return None
    return Place(name, url, fragment) if named and not name.endswith("/") else None


def is_json(headers: Headers) -> bool:
    """True for a JSON page, False for an HTML page, told by Content-Type; OriginError where it is neither."""
    media_type = (headers.get("content-type") or TEXT_HTML).partition(";")[0].strip().lower()
    if media_type in (JSON, "application/json"):
        return True
    if media_type in (TEXT_HTML, V1_HTML, "application/xhtml+xml"):
        return False
    raise OriginError(f"the origin's index page is of the unknown type {media_type!r}")


def rewritten(body: bytes, headers: Headers, *, page: str, html_type: str) -> Rewritten:
    """A project's page with all links to files relative (`../../files/...`), all else as it was.

    `page` is its URL at the origin. OriginError where it is no such page.
    """
    if is_json(headers):
        document = _project(body, headers)
        _replace_urls(document["files"], page, "../..")
        return Rewritten([json_bytes(document)], JSON)

    def link(href: str) -> str | None:
        found = place(address, href)
        if found is None:
            return None
        return f"../..{found.name}#{found.fragment}" if found.fragment else f"../..{found.name}"

    text = text_of(decoded(body, headers))
    found = list(tags(text))
    address = _checked(found, page)
    return Rewritten([_relinked(text, found, link)], _html_type(headers, html_type))


def rewritten_root(body: bytes, headers: Headers, *, html_type: str) -> Rewritten:
    """The list of all projects with relative links; OriginError where it is no such page."""
    if is_json(headers):
        json_object(body, headers)
        return Rewritten([decoded(body, headers)], JSON)

    def link(href: str) -> str | None:
        project = href.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2]
        return f"{project}/" if PROJECT.fullmatch(project) else None

    text = text_of(decoded(body, headers))
    return Rewritten([_relinked(text, tags(text), link)], _html_type(headers, html_type))


def facts(body: bytes, headers: Headers, *, page: str) -> list[Fact]:
    """What a project's page says of its files and of their `.metadata`; OriginError where it is no such page."""
    if is_json(headers):
        return list(_json_facts(_project(body, headers)["files"], page))
    found = list(tags(text_of(decoded(body, headers))))
    return list(_html_facts(found, _checked(found, page)))


def legacy_rewritten(body: bytes, headers: Headers, *, page: str, mount: str) -> Rewritten:
    """The legacy JSON document with its files' URLs below `mount`; OriginError where it is none."""
    document = json_object(body, headers)
    for files in _releases(document):
        _replace_urls(files, page, mount)
    return Rewritten([json_bytes(document)], "application/json")


def legacy_facts(body: bytes, headers: Headers, *, page: str) -> list[Fact]:
    """What the legacy JSON document says of its files; OriginError where it is none."""
    found = (fact for files in _releases(json_object(body, headers)) for fact in _json_facts(files, page))
    return list({fact.name: fact for fact in found}.values())


def _project(body: bytes, headers: Headers) -> dict[str, Any]:
    document = json_object(body, headers)
    meta = document.get("meta", {})
    version = meta.get("api-version", "1.0") if isinstance(meta, dict) else None
    if not isinstance(version, str) or version.partition(".")[0] != "1" or "files" not in document:
        raise OriginError("the origin's page is not version 1 of the simple API")
    return document


def _files(files: object) -> Iterator[dict[str, Any]]:
    for file in files if isinstance(files, list) else [None]:
        if not isinstance(file, dict) or not isinstance(file.get("url"), str):
            raise OriginError("the origin's page lists a file without a URL")
        yield file


def _releases(document: dict[str, Any]) -> Iterator[object]:
    releases = document.get("releases") or {}
    if not isinstance(releases, dict) or "urls" not in document:
        raise OriginError("the origin's document does not list a project's files")
    yield document["urls"]
    yield from releases.values()


def _replace_urls(files: object, page: str, prefix: str) -> None:
    for file in _files(files):
        if found := place(page, file["url"]):
            file["url"] = prefix + found.name + (f"#{found.fragment}" if found.fragment else "")


def _json_facts(files: object, page: str) -> Iterator[Fact]:
    for file in _files(files):
        if found := place(page, file["url"]):
            hashes = file.get("hashes") or file.get("digests")
            size = file.get("size")
            known = size if type(size) is int and size >= 0 else None
            yield Fact(found.name, found.url, _from_hashes(hashes) or _from_text(found.fragment), known)
            stated = next((file[key] for key in _METADATA_KEYS if key in file), None)
            yield from _metadata(found, stated, _from_hashes(stated))


def _html_facts(found: list[Tag], page: str) -> Iterator[Fact]:
    for tag in found:
        href = tag.get("href")
        if tag.name == "a" and href is not None and (file := place(page, href)):
            yield Fact(file.name, file.url, _from_text(file.fragment))
            stated = next((text for key in _METADATA_KEYS if (text := tag.get(f"data-{key}")) is not None), None)
            yield from _metadata(file, stated != "false" if stated is not None else None, _from_text(stated or ""))


def _metadata(file: Place, stated: object, digest: Digest | None) -> Iterator[Fact]:
    """The fact of the `.metadata` beside a file: where it is announced, or for a wheel where nothing is said of it."""
    if stated or (stated is None and file.name.endswith(".whl")):
        yield Fact(f"{file.name}.metadata", f"{file.url}.metadata", digest)


def _from_hashes(hashes: object) -> Digest | None:
    pairs = hashes.items() if isinstance(hashes, dict) else ()
    return strongest(digest for pair in pairs if (digest := hex_digest(*pair)))


def _from_text(text: str) -> Digest | None:
    """The strongest digest of `sha256=<hex>`, of which several may be joined with `&`."""
    return strongest(digest for part in text.split("&") if (digest := hex_digest(*part.partition("=")[::2])))


def _checked(found: list[Tag], page: str) -> str:
    """The URL that the page's links are relative to; OriginError where the page is of another version (PEP 629)."""
    for tag in found:
        states = tag.name == "meta" and (tag.get("name") or "").lower() == "pypi:repository-version"
        if states and (tag.get("content") or "").partition(".")[0] != "1":
            raise OriginError("the origin's page is not version 1 of the simple API")
    bases = (href for tag in found if tag.name == "base" and (href := tag.get("href")) is not None)
    try:
        return urljoin(page, next(bases, ""))
    except ValueError as exc:
        raise OriginError("the origin's page has a base that is no URL") from exc


def _relinked(text: str, found: Iterable[Tag], link: Callable[[str], str | None]) -> bytes:
    pieces, at = [], 0
    for tag in found:
        attribute = tag.attributes.get("href")
        if attribute is None or tag.name == "meta":
            continue
        if tag.name == "base":  # our relative links must resolve against our own address
            pieces.append(text[at : attribute.name_start])
        elif (target := link(attribute.value)) is not None:
            pieces += text[at : attribute.start], attribute_text(target)
        else:
            continue
        at = attribute.end
    pieces.append(text[at:])
    return "".join(pieces).encode("latin-1")


def _html_type(headers: Headers, html_type: str) -> str:
    _, _, parameters = (headers.get("content-type") or "").partition(";")
    return f"{html_type}; {parameters.strip() or 'charset=utf-8'}"
