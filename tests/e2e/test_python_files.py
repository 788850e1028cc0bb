"""Files of Python packages through a real mirror: which part of them, and by which path."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.e2e.python_mirror import JSON, Mirror
from tests.instruments.python_packages import File, Project, wheel

both = pytest.mark.parametrize("kind", ["real", "poor"])
SIZE = 30_000


class TestRanges:
    @both
    @pytest.mark.parametrize("warm", [False, True])
    @pytest.mark.parametrize("asked", ["0-0", "5-", "-10", "100-199", "10-999999999", "-999999999"])
    def test_a_part_is_that_part(self, python_mirror: Mirror, asked: str, *, warm: bool) -> None:
        file = self.file(python_mirror, f"part-{'warm' if warm else 'cold'}{asked}9")
        if warm:
            assert python_mirror.ask(python_mirror.place(file)).body == file.body
        first, _, last = asked.partition("-")
        size = len(file.body)
        start = int(first) if first else max(0, size - int(last))
        end = min(size, int(last) + 1) if first and last else size
        heard = python_mirror.ask(python_mirror.place(file), ("Range", f"bytes={asked}"))
        assert (heard.status, heard.body) == (206, file.body[start:end])
        assert heard["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert heard["etag"] == f'"sha256-{file.sha256}"'
        whole = python_mirror.ask(python_mirror.place(file))
        assert (whole.status, whole.body, whole["etag"]) == (200, file.body, heard["etag"])

    @both
    @pytest.mark.parametrize("warm", [False, True])
    def test_behind_the_end_there_is_nothing(self, python_mirror: Mirror, *, warm: bool) -> None:
        file = self.file(python_mirror, f"beyond-{warm}")
        if warm:
            python_mirror.ask(python_mirror.place(file))
        heard = python_mirror.ask(python_mirror.place(file), ("Range", f"bytes={len(file.body)}-"))
        assert (heard.status, heard["content-range"]) == (416, f"bytes */{len(file.body)}")
        assert python_mirror.ask(python_mirror.place(file)).body == file.body

    @both
    @pytest.mark.parametrize("warm", [False, True])
    @pytest.mark.parametrize("unit", ["bites=0-1", "bytes=a-b", "bytes=5-4"])
    def test_what_is_no_range_is_ignored(self, python_mirror: Mirror, unit: str, *, warm: bool) -> None:
        file = self.file(python_mirror, f"unit-{warm}-{len(unit)}{unit[-1]}")
        if warm:
            python_mirror.ask(python_mirror.place(file))
        heard = python_mirror.ask(python_mirror.place(file), ("Range", unit))
        assert (heard.status, heard.body) == (200, file.body)

    @both
    @pytest.mark.parametrize("warm", [False, True])
    def test_several_parts_are_all_there_or_the_whole_is(self, python_mirror: Mirror, *, warm: bool) -> None:
        file = self.file(python_mirror, f"several-{warm}")
        if warm:
            python_mirror.ask(python_mirror.place(file))
        heard = python_mirror.ask(python_mirror.place(file), ("Range", "bytes=0-9,100-109"))
        if heard.status == 206:
            assert (heard["content-type"] or "").startswith("multipart/byteranges")
            assert file.body[:10] in heard.body
            assert file.body[100:110] in heard.body
        else:
            assert (heard.status, heard.body) == (200, file.body)

    @both
    def test_a_part_is_given_only_of_what_the_client_has(self, python_mirror: Mirror) -> None:
        file = self.file(python_mirror, "if-range")
        whole = python_mirror.ask(python_mirror.place(file))
        same, others = [whole["etag"]], ['"other"', f"W/{whole['etag']}", "Sat, 01 Jan 2000 00:00:00 GMT"]
        same += [whole["last-modified"]] * (python_mirror.index.kind == "real")
        for condition in same:
            fields = (("Range", "bytes=5-"), ("If-Range", str(condition)))
            assert python_mirror.ask(python_mirror.place(file), *fields).body == file.body[5:]
        for condition in others:
            fields = (("Range", "bytes=5-"), ("If-Range", condition))
            heard = python_mirror.ask(python_mirror.place(file), *fields)
            assert (heard.status, heard.body) == (200, file.body)

    def file(self, mirror: Mirror, name: str) -> File:
        return mirror.index.single(name.lower(), size=SIZE)[1]


class TestPaths:
    @both
    def test_files_whose_paths_are_alike_are_told_apart(self, python_mirror: Mirror) -> None:
        folders = ["a/b_c", "a_b/c", "A/b_c", "a/B_c"]
        plain = wheel("twin", "1.0")
        files = [replace(plain, body=f"PK{folder}".encode() * 100, folder=folder) for folder in folders]
        python_mirror.index.publish(Project("twin", tuple(files)))
        for _ in ("cold", "warm"):
            assert [python_mirror.ask(python_mirror.place(file)).body for file in files] == [f.body for f in files]

    @both
    def test_a_plus_is_one_file_however_it_is_written(self, python_mirror: Mirror) -> None:
        file = python_mirror.index.projects["speed"].files[0]
        link = python_mirror.links("speed")[0] if python_mirror.index.kind == "real" else None
        paths = [python_mirror.place(file).replace("%2B", spelling) for spelling in ("%2B", "%2b", "+")]
        for path in [*paths, *([link.path] if link else [])]:
            assert python_mirror.ask(path).body == file.body
        assert len(python_mirror.index.gets(file.path)) == 1

    @pytest.mark.row(45, at="12 paths against a server: 4xx, and the upstream is not asked")
    @both
    @pytest.mark.parametrize(
        "path",
        [
            *("files/../x", "files/%2e%2e/x", "files/%2E./x", "files/a%5cb", "files/a\\b", "files/a%00b", "files//a"),
            *("simple/../../-/health", "simple/%2e%2e/", "simple/a%2f..%2fb/", "simple/%00/", "simple/a%5c/"),
        ],
    )
    def test_what_leads_elsewhere_is_refused_and_nobody_is_asked(self, python_mirror: Mirror, path: str) -> None:
        before = len(python_mirror.index.log)
        assert 400 <= python_mirror.ask(f"/pypi/{path}").status < 500
        assert len(python_mirror.index.log) == before

    @both
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    def test_nothing_but_reading_is_possible(self, python_mirror: Mirror, method: str) -> None:
        for path in ("/pypi/simple/app/", "/pypi/legacy/", python_mirror.place(wheel("app", "1.0"))):
            heard = python_mirror.ask(path, ("Content-Length", "0"), method=method)
            assert heard.status in ((405,) if "legacy" not in path else (404, 405))

    @both
    def test_only_our_own_names_are_answered_for(self, python_mirror: Mirror) -> None:
        port = python_mirror.server.port
        assert python_mirror.ask("http://evil.test/pypi/simple/app/", host="evil.test").status in (400, 403)
        assert python_mirror.ask("evil.test:443", host="evil.test:443", method="CONNECT").status in (400, 403, 405)
        for path in ("/pypi/simple/App", "/pypi/simple/app/", "/pypi/pypi/app/json"):
            heard = python_mirror.ask(path, ("Accept", JSON), host="evil.test")
            assert b"evil.test" not in heard.body
            assert not any("evil.test" in value for value in heard.headers.values())
            location = python_mirror.ask(path, ("X-Forwarded-Proto", "https"), host=f"localhost:{port}")["location"]
            assert location is None or location.startswith("/")
