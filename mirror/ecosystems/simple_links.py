"""Names of projects, and links to files: where a file is, what it is called here, which digests its link carries."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from mirror.ecosystems import paths
from mirror.errors import RequestError

# A project's name in any spelling (PEP 508).
PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_RUN = re.compile(r"[-_.]+")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
# An absolute URL in which every character stands for itself, and no segment is empty or begins with a dot.
_PLAIN = re.compile(
    r"(https?://[A-Za-z0-9.-]+(?::[1-9][0-9]{0,3})?)((?:/[A-Za-z0-9_~+@-][A-Za-z0-9._~+@-]*)+)(?:#([!\"$-~]*))?"
)
# One digest in a fragment (PEP 503), by an algorithm that every client has.
_HASH = re.compile(r"(md5|sha1|sha(?:224|256|384|512)|sha3_(?:224|256|384|512)|blake2[bs])=([0-9A-Fa-f]+)")


class Place(NamedTuple):
    """Where a file is: its path below the mirror, its absolute URL, and the fragment that its link carried."""

    name: str
    url: str
    fragment: str

    @property
    def link(self) -> str:
        """The file's path below the mirror, with the fragment; digests in lower case, as clients compare them."""
        parts = (part.lower() if _HASH.fullmatch(part) else part for part in self.fragment.split("&"))
        return f"{self.name}#{'&'.join(parts)}" if self.fragment else self.name

    def beside(self, suffix: str) -> tuple[str, str]:
        """Path and URL of what stands beside the file under a longer name (PEP 658); a query stays behind it."""
        address, mark, query = self.url.partition("?")
        return self.name + suffix, address + suffix + mark + query


def normalized(project: str) -> str:
    """The one spelling of a project's name (PEP 503)."""
    return _RUN.sub("-", project).lower()


def place(page: str, href: str) -> Place | None:
    """The place that `href` on the page at URL `page` names, or None where it is no http(s) URL of a file."""
    plain = _PLAIN.fullmatch(href)
    if plain is not None and len(plain[2]) <= paths.MAX_BYTES:  # nearly all are, and nothing in them is to be changed
        return Place(f"/files{plain[2]}", plain[1] + plain[2], plain[3] or "")
    try:
        address, _, fragment = quote(href.strip(), safe=_PRINTABLE).partition("#")
        url = urljoin(page, address)
        parts = urlsplit(url)
        name = "/files" + paths.canonical(parts.path)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except (ValueError, RequestError):
        return None
    return Place(name, url, fragment) if named and not name.endswith("/") else None


def hashes(text: str) -> dict[str, str]:
    """Algorithm -> lower-case hex digest, of `sha256=<hex>`, of which several may be joined with `&`."""
    found = (_HASH.fullmatch(part) for part in text.split("&"))
    return {match[1]: match[2].lower() for match in found if match}


def fragment(digests: object) -> str:
    """The one digest that a link carries, `sha256=<hex>` where there is one; "" where none can be written so."""
    pairs = digests.items() if isinstance(digests, dict) else ()
    written = (f"{name}={value}" for name, value in pairs if isinstance(value, str))
    legal = [text.lower() for text in written if _HASH.fullmatch(text)]
    return next((text for text in legal if text.startswith("sha256=")), legal[0] if legal else "")
