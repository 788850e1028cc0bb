"""A project's page (PEP 503, 691): the facts that it holds, and the page in the form that a client asked for."""

from __future__ import annotations

from collections.abc import Iterator

from mirror.ecosystems import simple_files, simple_rendered
from mirror.ecosystems.bodies import decoded
from mirror.ecosystems.json_text import chunked
from mirror.ecosystems.simple_files import METADATA_KEYS
from mirror.ecosystems.simple_html import Edit, Tag, attribute_text, edited, element_end, tags, text_of
from mirror.ecosystems.simple_links import place
from mirror.ecosystems.simple_project import address, quarantines, read
from mirror.ecosystems.simple_sight import Sight, dated, project_of
from mirror.ecosystems.simple_types import JSON, as_made, as_sent, is_json, serial
from mirror.ecosystems.views import Seen, View
from mirror.model import Fact, Headers, Rewritten

_ATTRIBUTES = tuple(f"data-{key}" for key in METADATA_KEYS[:2])


def rewritten(
    body: bytes,
    headers: Headers,
    *,
    page: str,
    form: str,
    view: View | None = None,
    seen: Seen | None = None,
    dates: Seen | None = None,
) -> Rewritten:
    """A project's page in one of the three forms, with all links to files relative (`../../files/...`).

    `page` is its URL at the origin. What it says is what the origin said, whichever form that had, less what `view`
    refuses; where a file has no time of upload, the JSON form has the one that `dates` knows. OriginError: it is no
    such page. Where nothing is left it is a page without files: clients that got a 403 or 404 would ask another index
    for the project, or speak of credentials.
    """
    from_json = is_json(headers)
    sight = Sight(project_of(page), view, seen)
    if not from_json and form != JSON:
        text = text_of(decoded(body, headers))
        about = [tag for tag in tags(text) if tag.name != "a"]
        base = address(about, page)
        if not quarantines(about):
            changed = list(chunked(edited(text, _edits(text, base, sight))))
            return Rewritten(changed, as_sent(form, headers), sight.until)
    project = sight.shown(read(body, headers, page))
    number = serial(headers, project.document["meta"].get("_last-serial"))
    name = page.rstrip("/").rpartition("/")[2]
    if form == JSON:
        pieces = simple_rendered.as_json(dated(project, dates), name=name, complete=from_json, serial=number)
    else:
        pieces = simple_rendered.as_html(project, name=name, serial=number)
    return Rewritten(list(pieces), as_made(form), sight.until)


def facts(body: bytes, headers: Headers, *, page: str) -> Iterator[Fact]:
    """What a project's page says of its files and of what stands beside them; OriginError where it is no such page.

    Nothing is done before the first one is asked for: a large page is not read on the thread that only hands it on.
    """
    # A size in HTML stands in no specification: good for clients to show, not to refuse a file for.
    files = read(body, headers, page).files
    yield from simple_files.facts(files, project=project_of(page), sized=is_json(headers))


def _edits(text: str, base: str, sight: Sight) -> Iterator[Edit]:
    """What is to be done to an HTML page: its links become ours or go, and all else stays."""
    for tag in tags(text):
        attribute = tag.attributes.get("href")
        if attribute is None or tag.name == "meta":
            continue
        if tag.name == "base":  # our relative links must resolve against our own address
            yield Edit(attribute.name_start, attribute.end, "")
        elif where := place(base, attribute.value):
            if sight and sight.hides(simple_files.from_attributes(where, tag.get)):
                yield Edit(tag.start, element_end(text, tag), "")
                continue
            metadata = simple_rendered.metadata_text(simple_files.metadata_attribute(tag.get))
            edits = [Edit(attribute.start, attribute.end, attribute_text(f"../..{where.link}"))]
            yield from sorted(edits + list(_announced(tag, metadata)))


def _announced(tag: Tag, metadata: str | None) -> Iterator[Edit]:
    """Both names of the attribute with one value where there is a `.metadata`, and neither where there is none."""
    href = tag.attributes["href"]
    for name in _ATTRIBUTES:
        attribute = tag.attributes.get(name)
        text = f"{name}={attribute_text(metadata)}" if metadata is not None else ""
        if attribute is not None:
            yield Edit(attribute.name_start, attribute.end, text)
        elif metadata is not None:
            yield Edit(href.name_start, href.name_start, f"{text} ")
