"""A real mirror of an index of Python packages, asked over sockets."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from tests.instruments.python_index import Kind, PythonIndex, python_index
from tests.instruments.python_packages import File
from tests.instruments.server import Served, served

JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
HTML = "text/html"
FORMS = (JSON, V1_HTML, HTML)

RESTING = ("is in trouble", "cannot be reached: it is asked less")
"""What the mirror's log says of upstreams that are down or busy."""

CONFIG = """
[cache]
min_free = "1MB"
[upstream]
retries = {retries}
head_timeout = "1s"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{upstream}"
allow_private = true
grace = "0s"
"""


@dataclass(frozen=True)
class Heard:
    """An answer; `broken`: the connection ended before the body did."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    broken: bool = False

    def __getitem__(self, name: str) -> str | None:
        return self.headers[name]

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Mirror:
    """The mirror `/pypi` of `index`."""

    server: Served
    index: PythonIndex

    def ask(self, path: str, *fields: tuple[str, str], method: str = "GET", host: str | None = None) -> Heard:
        """The answer to a request with exactly these fields, and Host; `path` is the whole path at the server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=host is not None, skip_accept_encoding=True)
            for name, value in (("Host", host),) * (host is not None) + fields:
                connection.putheader(name, value)
            connection.endheaders()
            return _heard(connection)
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return Heard(0, http.client.HTTPMessage(), b"", broken=True)
        finally:
            connection.close()

    def page(self, project: str, accept: str = JSON, *fields: tuple[str, str], method: str = "GET") -> Heard:
        return self.ask(f"/pypi/simple/{project}/", ("Accept", accept), *fields, method=method)

    def links(self, project: str, accept: str = JSON) -> list[Link]:
        """The files that a page lists."""
        page = f"/pypi/simple/{project}/"
        return listed(self.ask(page, ("Accept", accept)), page)

    def place(self, file: File) -> str:
        """Where the mirror has a file (A.3 rule 4): the path at the file host, below its own `/files`."""
        return f"/pypi/files{file.path}"

    def expire(self, *paths: str) -> None:
        """As if the fresh time of what is stored for these paths was over."""
        self.purge(*paths, soft=True)

    def purge(self, *paths: str, soft: bool = False) -> None:
        """Removes, all variants of it; all below /pypi where no path is named."""
        what = {"urls": list(paths)} if paths else {"prefixes": ["/pypi/"]}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            told = json.dumps(what | {"soft": soft})
            connection.request("POST", "/-/api/purge", told, {"Content-Type": "application/json"})
            heard = _heard(connection)
        finally:
            connection.close()
        assert heard.status == 200, heard
        assert not paths or heard.document["purged"], f"nothing was stored for {paths}"

    def mend(self, path: str) -> None:
        """The index is well again at `path`, and the mirror does not give it a rest for what failed before."""
        self.index.mend(path)
        self.forgive()

    def forgive(self) -> None:
        """Starts it again if it gives the index or its files a rest: it has forgotten that then."""
        told = self.server.log_since_start()
        if any(state in told for state in RESTING):
            self.server.stop()
            self.server.start()

    def emptied(self) -> None:
        """Starts it again at the same address, with nothing stored and nothing known."""
        self.server.stop()
        shutil.rmtree(self.server.cache)
        self.server.start()

    def leftovers(self) -> list[str]:
        """Files of downloads that are not whole."""
        return sorted(path.name for path in (self.server.cache / "partial").iterdir())


@dataclass(frozen=True)
class Link:
    """One file as a page lists it; `url` is resolved, `path` is its path. What HTML cannot say is None."""

    name: str
    url: str
    sha256: str | None
    requires_python: str | None
    yanked: str | bool
    metadata: str | bool
    written: dict[str, Any]

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


def listed(heard: Heard, page: str, base: str = "http://mirror.test") -> list[Link]:
    """The links on a page that was got at the path `page`."""
    assert heard.status == 200, heard
    if (heard["content-type"] or "").partition(";")[0] == JSON:
        return [_from_json(file, base + page) for file in heard.document["files"]]
    parser = _Anchors()
    parser.feed(heard.body.decode())
    return [_from_html(text, attributes, base + page) for attributes, text in parser.found]


def _from_json(file: dict[str, Any], page: str) -> Link:
    told = file.get("core-metadata", False)
    metadata = told.get("sha256", True) if isinstance(told, dict) else told
    hashes, python = file["hashes"], file.get("requires-python")
    yanked = file.get("yanked", False)
    return Link(file["filename"], urljoin(page, file["url"]), hashes.get("sha256"), python, yanked, metadata, file)


def _from_html(text: str, attributes: dict[str, str | None], page: str) -> Link:
    url, _, fragment = urljoin(page, attributes["href"] or "").partition("#")
    told = attributes.get("data-core-metadata", False)
    yanked = (attributes["data-yanked"] or True) if "data-yanked" in attributes else False
    metadata = told.removeprefix("sha256=") if isinstance(told, str) else told is None
    python = attributes.get("data-requires-python")
    return Link(text, url, fragment.removeprefix("sha256=") or None, python, yanked, metadata, dict(attributes))


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self._open: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = dict(attrs) if tag == "a" else None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.found.append((self._open, data))
            self._open = None


def _heard(connection: http.client.HTTPConnection) -> Heard:
    answer = connection.getresponse()
    try:
        return Heard(answer.status, answer.headers, answer.read())
    except http.client.IncompleteRead as error:
        return Heard(answer.status, answer.headers, error.partial, broken=True)
    except ConnectionResetError:
        return Heard(answer.status, answer.headers, b"", broken=True)


@contextmanager
def mirrored(folder: Path, kind: Kind, *, retries: int = 0, more: str = "") -> Iterator[Mirror]:
    """A running index of that kind and a running mirror of it; `more` is added to the mirror's configuration."""
    with python_index(kind) as index:
        config = CONFIG.format(upstream=index.simple, retries=retries) + more
        with served(folder, config) as server:
            yield Mirror(server, index)
            assert "Traceback" not in server.log()
