"""An index of Python packages that fails: what was good is still served, what is gone is gone, nothing is made up."""

from __future__ import annotations

import pytest

from tests.e2e.python_mirror import FORMS, HTML, Mirror
from tests.instruments.python_packages import Project, wheel

both = pytest.mark.parametrize("kind", ["real", "poor"])


def named(prefix: str, fault: str) -> str:
    return f"{prefix}-{fault.replace(' ', '-')}"


class TestPages:
    @pytest.mark.row(18, at="Python: 500, 429, cuts and silence: the last good page; the time is not taken")
    @both
    @pytest.mark.parametrize("fault", ["500", "429", "closed", "silent", "cut", "cut without length", "empty"])
    def test_the_last_good_page_is_served_while_the_index_fails(self, python_mirror: Mirror, fault: str) -> None:
        name = named("stale", fault)
        _, file = python_mirror.index.single(name)
        good = {form: python_mirror.page(name, form).body for form in FORMS}
        python_mirror.index.publish(Project(name, (file, wheel(name, "2.0"))))
        python_mirror.index.fault(f"/simple/{name}/", fault)
        for form in FORMS[:1] if fault == "silent" else FORMS:
            python_mirror.expire(f"/pypi/simple/{name}/")
            heard = python_mirror.page(name, form)
            assert (heard.status, heard.body, heard["x-cache"]) == (200, good[form], "STALE")
        python_mirror.mend(f"/simple/{name}/")
        python_mirror.expire(f"/pypi/simple/{name}/")
        assert [link.name for link in python_mirror.links(name)] == [file.name, file.name.replace("1.0", "2.0")]

    @both
    @pytest.mark.parametrize("fault", ["404", "410", "403", "451"])
    def test_a_page_that_is_gone_is_gone_in_each_form(self, python_mirror: Mirror, fault: str) -> None:
        name = named("gone", fault)
        python_mirror.index.single(name)
        for form in FORMS:
            assert python_mirror.page(name, form).status == 200
        python_mirror.index.fault(f"/simple/{name}/", fault)
        python_mirror.expire(f"/pypi/simple/{name}/")
        for form in (*FORMS, *FORMS):
            heard = python_mirror.page(name, form)
            assert 400 <= heard.status < 500 if fault in ("404", "410") else heard.status >= 400

    @both
    def test_a_404_is_not_forgotten_when_the_index_fails_after_it(self, python_mirror: Mirror) -> None:
        python_mirror.index.single("removed")
        assert python_mirror.page("removed").status == 200
        for fault in ("404", "500"):
            python_mirror.index.fault("/simple/removed/", fault)
            python_mirror.expire("/pypi/simple/removed/")
            assert python_mirror.page("removed").status >= 400

    @pytest.mark.row(19, at="Python: 500, 429, cuts and silence")
    @both
    @pytest.mark.parametrize(
        "fault", ["cut", "cut soon", "cut without length", "closed", "empty", "500", "429", "silent"]
    )
    def test_a_cold_page_that_fails_is_an_error_that_is_not_kept(self, python_mirror: Mirror, fault: str) -> None:
        name = named("cold", fault)
        python_mirror.index.single(name)
        python_mirror.index.fault(f"/simple/{name}/", fault)
        heard = python_mirror.page(name)
        assert heard.status == 429 or heard.status >= 500
        assert heard["cache-control"] in ("no-store", "no-cache")
        python_mirror.mend(f"/simple/{name}/")
        assert [link.name for link in python_mirror.links(name)] == [f"{name.replace('-', '_')}-1.0-py3-none-any.whl"]

    @both
    @pytest.mark.parametrize("fault", ["429", "500", "closed", "empty"])
    @pytest.mark.parametrize("what", ["page", "file"])
    def test_a_failure_of_the_index_is_told_as_one_with_when_to_come_back(
        self, python_mirror: Mirror, fault: str, what: str
    ) -> None:
        name = named(f"told-{what}", fault)
        file = python_mirror.index.single(name)[1]
        assert what == "page" or python_mirror.page(name).status == 200
        python_mirror.index.fault(file.path if what == "file" else f"/simple/{name}/", fault)
        heard = python_mirror.page(name) if what == "page" else python_mirror.ask(python_mirror.place(file))
        assert heard.status in ((429, 502, 503, 504) if fault == "429" else (502, 503, 504))
        assert heard["retry-after"]

    def test_a_page_that_is_only_labelled_gzip_is_none(self, python_poor: Mirror) -> None:
        python_poor.index.single("labelled")
        python_poor.index.fault("/simple/labelled/", "labelled gzip")
        assert python_poor.page("labelled", HTML).status == 502
        python_poor.index.mend("/simple/labelled/")
        assert python_poor.page("labelled", HTML).status == 200

    @pytest.mark.row(19, at="Python: 404 once for six requests")
    @both
    def test_an_unknown_project_is_a_404_for_a_while(self, python_mirror: Mirror) -> None:
        for form in (*FORMS, *FORMS):
            assert python_mirror.page("unknown", form).status == 404
        assert len(python_mirror.index.gets("/simple/unknown/")) == 1

    @both
    @pytest.mark.parametrize("name", ["-a", "a-", "_a", "a b", "a%20b", "%C3%A4", "a%40b", "a!"])
    def test_what_is_no_name_is_a_404_that_nobody_is_asked_about(self, python_mirror: Mirror, name: str) -> None:
        before = len(python_mirror.index.log)
        status = python_mirror.ask(f"/pypi/simple/{name.replace(' ', '+')}/").status
        assert (status, len(python_mirror.index.log)) == (404, before)


FAULTS = (
    *("cut", "cut soon", "cut without length", "cut at the end of the connection", "closed"),
    *("other bytes", "web page", "empty", "429", "500", "labelled gzip"),
)


class TestFiles:
    @pytest.mark.row(3, 7, at="Python: each fault once, files and metadata")
    @pytest.mark.parametrize(("kind", "suffix"), [("real", ""), ("poor", ""), ("real", ".metadata")])
    @pytest.mark.parametrize("fault", FAULTS)
    def test_nothing_wrong_is_stored(self, python_mirror: Mirror, fault: str, suffix: str) -> None:
        file = python_mirror.index.single(named(f"bad{suffix[1:]}", fault), size=20_000)[1]
        path, place = file.path + suffix, python_mirror.place(file) + suffix
        right = file.metadata if suffix else file.body
        left = python_mirror.leftovers()
        python_mirror.index.fault(path, fault)
        for _ in range(2):  # the second would be served from the store if it was there
            heard = python_mirror.ask(place)
            refused = heard.broken or heard.status == 429 or heard.status >= 500
            labelled = fault == "labelled gzip" and (heard.status, heard.body) == (200, right)
            assert refused or labelled
        python_mirror.mend(path)
        asked = []
        for _ in ("fetched", "stored"):
            heard = python_mirror.ask(place)
            assert (heard.status, heard.body, heard.broken, heard["content-encoding"]) == (200, right, False, None)
            asked.append(len(python_mirror.index.gets(path)))
        assert asked[0] == asked[1]
        assert set(python_mirror.leftovers()) <= set(left)

    @both
    def test_a_slow_file_comes_whole_and_is_fetched_once(self, python_mirror: Mirror) -> None:
        file = python_mirror.index.single("drips")[1]
        python_mirror.index.fault(file.path, "drip")
        assert [python_mirror.ask(python_mirror.place(file)).body for _ in range(2)] == [file.body] * 2
        assert len(python_mirror.index.gets(file.path)) == 1

    @both
    def test_a_file_that_the_index_names_and_its_host_lacks_is_looked_for_again_soon(
        self, python_mirror: Mirror
    ) -> None:
        file = python_mirror.index.single("late")[1]
        python_mirror.index.fault(file.path, "404")
        assert python_mirror.ask(python_mirror.place(file)).status == 404
        python_mirror.mend(file.path)
        python_mirror.expire(python_mirror.place(file))
        assert python_mirror.ask(python_mirror.place(file)).body == file.body

    @pytest.mark.parametrize("fault", ["404", "500", "other bytes"])
    def test_metadata_comes_out_of_a_stored_wheel_where_its_own_file_is_not_right(
        self, python_real: Mirror, fault: str
    ) -> None:
        file = python_real.index.single(named("extracted", fault))[1]
        assert python_real.ask(python_real.place(file)).body == file.body
        python_real.index.fault(f"{file.path}.metadata", fault)
        heard = python_real.ask(f"{python_real.place(file)}.metadata")
        assert (heard.status, heard.body) == (200, file.metadata)
