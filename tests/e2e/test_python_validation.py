"""Conditions, HEAD and freshness of pages and files of Python packages, through a real mirror."""

from __future__ import annotations

import pytest

from tests.e2e.python_mirror import FORMS, HTML, JSON, Heard, Mirror
from tests.instruments.python_answers import MODIFIED
from tests.instruments.python_packages import Project, wheel
from tests.instruments.python_pages import SERIAL

both = pytest.mark.parametrize("kind", ["real", "poor"])
MOMENTARY = {"date", "age", "cache-status", "x-cache"}


def steady(heard: Heard) -> list[tuple[str, str]]:
    """The fields that are the same however an answer came about."""
    return sorted((name.lower(), value) for name, value in heard.headers.items() if name.lower() not in MOMENTARY)


class TestHead:
    @both
    @pytest.mark.parametrize("form", FORMS)
    def test_of_a_page_says_what_get_does_cold_and_warm(self, python_mirror: Mirror, form: str) -> None:
        name = f"head-{FORMS.index(form)}"
        python_mirror.index.single(name)
        heads = [python_mirror.page(name, form, method="HEAD")]
        got = python_mirror.page(name, form)
        heads.append(python_mirror.page(name, form, method="HEAD"))
        assert (got.status, got["content-length"]) == (200, str(len(got.body)))
        for head in heads:
            assert (head.status, head.body, steady(head)) == (200, b"", steady(got))

    @pytest.mark.parametrize(("kind", "suffix"), [("real", ""), ("poor", ""), ("real", ".metadata")])
    def test_of_a_file_says_what_get_does_cold_and_warm(self, python_mirror: Mirror, kind: str, suffix: str) -> None:
        """But for the date that a file without one gets when it is stored: before, there is none to tell."""
        file = python_mirror.index.single(f"head-file{suffix[:2].replace('.', '-')}")[1]
        place = python_mirror.place(file) + suffix
        heads = [python_mirror.ask(place, method="HEAD")]
        got = python_mirror.ask(place)
        heads.append(python_mirror.ask(place, method="HEAD"))
        assert got.body == (file.metadata if suffix else file.body)
        undated = {"last-modified"} if kind == "poor" or suffix else set()  # what these hosts do not tell
        for head, but in zip(heads, (undated, set[str]()), strict=True):
            assert (head.status, head.body) == (200, b"")
            assert steady(head) == [(name, value) for name, value in steady(got) if name not in but]

    @both
    def test_of_a_cold_file_does_not_fetch_it(self, python_mirror: Mirror) -> None:
        file = python_mirror.index.single("head-only", size=300_000)[1]
        assert python_mirror.ask(python_mirror.place(file), method="HEAD").status == 200
        assert python_mirror.index.files.sent(file.path) == 0

    @both
    def test_of_what_is_not_there_is_a_404_as_for_get(self, python_mirror: Mirror) -> None:
        for method in ("HEAD", "GET", "HEAD"):
            assert python_mirror.page("nowhere", method=method).status == 404


class TestFields:
    @pytest.mark.row(8, at="Python: files are named by their digest")
    @both
    def test_files_are_immutable_and_named_by_their_digest(self, python_mirror: Mirror) -> None:
        """Seen red: the ETag of a file is weak."""
        file, dates = python_mirror.index.single("fields")[1], set()
        for _ in ("cold", "warm"):
            heard = python_mirror.ask(python_mirror.place(file))
            assert heard["etag"] == f'"sha256-{file.sha256}"'
            assert heard["content-type"] == "application/octet-stream"
            assert heard["cache-control"] == "public, max-age=31536000, immutable"
            assert (heard["accept-ranges"], heard["content-encoding"]) == ("bytes", None)
            assert heard["content-length"] == str(len(file.body))
            assert heard["date"]
            dates.add(heard["last-modified"])
        assert len(dates) == 1
        if python_mirror.index.kind == "real":
            assert dates == {MODIFIED}

    @both
    @pytest.mark.parametrize("form", FORMS)
    def test_pages_are_for_clients_to_ask_about_again(self, python_mirror: Mirror, form: str) -> None:
        for _ in ("cold", "warm"):
            heard = python_mirror.page("app", form)
            assert heard["cache-control"] == "no-cache"
            assert (heard["etag"] or "").strip("W/").startswith('"')
            assert heard["date"]

    def test_the_serial_is_passed_on(self, python_real: Mirror) -> None:
        for form in FORMS:
            assert python_real.page("app", form)["x-pypi-last-serial"] == str(SERIAL)


class TestConditions:
    @both
    @pytest.mark.parametrize("form", FORMS)
    def test_who_has_the_page_is_told_so(self, python_mirror: Mirror, form: str) -> None:
        whole = python_mirror.page("tool", form)
        tag = (whole["etag"] or "").removeprefix("W/")
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            heard = python_mirror.page("tool", form, ("If-None-Match", known))
            assert (heard.status, heard.body) == (304, b"")
            for field in ("etag", "cache-control", "vary"):
                assert heard[field] == whole[field]
            assert heard["date"]
        assert python_mirror.page("tool", form, ("If-None-Match", '"other"')).body == whole.body

    @both
    def test_each_form_has_a_tag_of_its_own(self, python_mirror: Mirror) -> None:
        assert len({python_mirror.page("tool", form)["etag"] for form in (JSON, HTML)}) == 2

    @both
    def test_who_has_the_file_is_told_so(self, python_mirror: Mirror) -> None:
        file = python_mirror.index.single("known")[1]
        whole = python_mirror.ask(python_mirror.place(file))
        conditions = [("If-None-Match", str(whole["etag"])), ("If-None-Match", "*")]
        conditions += [("If-Modified-Since", whole["last-modified"])] * bool(whole["last-modified"])
        for condition in conditions:
            heard = python_mirror.ask(python_mirror.place(file), condition)
            assert (heard.status, heard.body, heard["etag"]) == (304, b"", whole["etag"])
            assert heard["cache-control"] == whole["cache-control"]

    @pytest.mark.row(8, at="Python: pages fetched again, the upstream's tag flips")
    @pytest.mark.parametrize(
        ("kind", "fault"), [("real", "etag flips"), ("poor", "etag flips"), ("real", "old serial")]
    )
    def test_a_tag_stays_when_only_fields_of_the_index_change(self, python_mirror: Mirror, fault: str) -> None:
        name = f"steady-{fault[:3]}"
        python_mirror.index.single(name)
        before = {form: python_mirror.page(name, form)["etag"] for form in FORMS}
        python_mirror.index.fault(f"/simple/{name}/", fault)
        for _ in range(2):
            python_mirror.expire(f"/pypi/simple/{name}/")
            assert {form: python_mirror.page(name, form)["etag"] for form in FORMS} == before
        assert len(python_mirror.index.gets(f"/simple/{name}/")) >= 3

    @both
    def test_a_tag_changes_with_the_files(self, python_mirror: Mirror) -> None:
        first = python_mirror.index.single("changes")[1]
        before = {form: python_mirror.page("changes", form)["etag"] for form in FORMS}
        python_mirror.index.publish(Project("changes", (first, wheel("changes", "2.0"))))
        python_mirror.expire("/pypi/simple/changes/")
        for form in FORMS:
            heard = python_mirror.page("changes", form, ("If-None-Match", str(before[form])))
            assert (heard.status, heard["etag"] != before[form]) == (200, True)

    @both
    def test_pages_with_relative_links_are_the_same_under_each_of_our_names(self, python_mirror: Mirror) -> None:
        names = [f"{name}:{python_mirror.server.port}" for name in ("localhost", "127.0.0.1")]
        for path, same in (("/pypi/simple/app/", True), ("/pypi/pypi/app/json", False)):
            one, two = (python_mirror.ask(path, host=name) for name in names)
            assert (one["etag"] == two["etag"], one.body == two.body) == (same, same)


class TestAskingAgain:
    def test_the_real_index_is_asked_with_its_own_tag(self, python_real: Mirror) -> None:
        python_real.index.single("validated")
        before = {form: python_real.page("validated", form).body for form in FORMS}
        python_real.index.fault("/simple/validated/", "304 without vary")
        python_real.expire("/pypi/simple/validated/")
        for form in FORMS:
            heard = python_real.page("validated", form)
            assert (heard.status, heard.body) == (200, before[form])
            assert "accept-encoding" in (heard["vary"] or "").lower()
            assert (heard["content-type"] or "").partition(";")[0] == form
        assert [record.status for record in python_real.index.gets("/simple/validated/")] == [200, 304]

    def test_an_index_without_tags_is_asked_again_and_the_answer_compared(self, python_poor: Mirror) -> None:
        python_poor.index.single("compared")
        before = python_poor.page("compared", HTML)
        python_poor.expire("/pypi/simple/compared/")
        assert python_poor.page("compared", HTML, ("If-None-Match", str(before["etag"]))).status == 304
        after = python_poor.page("compared", HTML)
        assert (after["etag"], after["last-modified"]) == (before["etag"], before["last-modified"])
        assert len(python_poor.index.gets("/simple/compared/")) == 2

    @both
    @pytest.mark.parametrize("directive", ["no-cache", "no-store", "max-age=0"])
    def test_a_client_that_wants_it_new_does_not_reach_the_index_each_time(
        self, python_mirror: Mirror, directive: str
    ) -> None:
        """Once in 5 s for a key, and this takes less."""
        name = f"eager-{directive.replace('=', '-')}"
        file = python_mirror.index.single(name)[1]
        for _ in range(10):
            for path in (f"/pypi/simple/{name}/", python_mirror.place(file)):
                eager = (("Cache-Control", directive), ("Pragma", "no-cache"))
                assert python_mirror.ask(path, *eager, ("Accept", JSON)).status == 200
        assert len(python_mirror.index.gets(f"/simple/{name}/")) <= 2
        assert len(python_mirror.index.gets(file.path)) == 1

    def test_a_file_is_never_asked_about_again(self, python_real: Mirror) -> None:
        file = python_real.index.single("final")[1]
        for fields in (
            (),
            (("Cache-Control", "no-cache"),),
            (("If-None-Match", '"other"'),),
            (("Range", "bytes=0-1"),),
        ):
            assert python_real.ask(python_real.place(file), *fields).status in (200, 206)
        assert python_real.index.files.requests(file.path) == 1
