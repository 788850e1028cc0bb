"""Python packages for many through one real mirror: each is fetched once, and nobody sees what is another's."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.python_mirror import FORMS, HTML, Mirror, mirrored
from tests.instruments import python_pages as pages
from tests.instruments.python_packages import BIG

both = pytest.mark.parametrize("kind", ["real", "poor"])


class TestMany:
    @pytest.mark.row(11, 13, at="Python: 20 clients, the first leaves")
    @both
    def test_a_cold_file_is_fetched_once_for_twenty_though_the_first_one_leaves(self, python_mirror: Mirror) -> None:
        file = python_mirror.index.single("crowd", size=BIG)[1]
        python_mirror.index.fault(file.path, "held")
        place = python_mirror.place(file)
        with ThreadPoolExecutor(20) as pool:
            with socket.create_connection(("127.0.0.1", python_mirror.server.port), timeout=20) as first:
                first.sendall(f"GET {place} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                assert first.recv(1000).startswith(b"HTTP/1.1 200")
                others = [pool.submit(python_mirror.ask, place) for _ in range(19)]
            python_mirror.index.release(file.path)
            assert {other.result().body for other in others} == {file.body}
        assert python_mirror.ask(place)["x-cache"] == "HIT"
        assert len(python_mirror.index.gets(file.path)) == 1

    @pytest.mark.row(11, at="Python: 20 clients of a page")
    @both
    def test_a_cold_page_is_fetched_once_for_twenty(self, python_mirror: Mirror) -> None:
        python_mirror.index.single("queue")
        struck = python_mirror.index.fault("/simple/queue/", "held")
        with ThreadPoolExecutor(20) as pool:
            all_of_them = [pool.submit(python_mirror.page, "queue", FORMS[number % 3]) for number in range(20)]
            assert struck.wait(10)
            python_mirror.index.release("/simple/queue/")
            heard = [each.result() for each in all_of_them]
        assert {each.status for each in heard} == {200}
        assert len({each.body for each in heard[::3]}) == 1
        assert len(python_mirror.index.gets("/simple/queue/")) == 1

    @pytest.mark.row(1, at="Python: a kill at a third of a file")
    def test_half_a_file_is_none_after_the_server_was_killed(self, tmp_path: Path) -> None:
        with mirrored(tmp_path, "real") as mirror:
            file = mirror.index.single("killed", size=BIG)[1]
            mirror.index.fault(file.path, "held")
            with socket.create_connection(("127.0.0.1", mirror.server.port), timeout=20) as client:
                client.sendall(f"GET {mirror.place(file)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                got = 0
                while got < BIG // 3:
                    got += len(client.recv(65536))
                mirror.server.kill()
            mirror.index.down()
            mirror.server.start()
            heard = mirror.ask(mirror.place(file))
            assert heard.broken or heard.status >= 500
            mirror.index.up()
            mirror.mend(file.path)
            assert mirror.ask(mirror.place(file)).body == file.body
            assert mirror.leftovers() == []


class TestSecrets:
    @pytest.mark.row(43, at="Python: an upstream's cookie reaches no client")
    @both
    def test_fields_between_the_index_and_us_do_not_reach_a_client(self, python_mirror: Mirror) -> None:
        file = python_mirror.index.single("fields-of-others")[1]
        for path in ("/simple/fields-of-others/", file.path):
            python_mirror.index.fault(path, "private fields")
        for _ in ("cold", "warm"):
            pages = [python_mirror.page("fields-of-others", form) for form in FORMS]
            for heard in [*pages, python_mirror.ask(python_mirror.place(file))]:
                assert heard.status == 200
                for name in ("set-cookie", "strict-transport-security", "alt-svc", "nel", "report-to"):
                    assert heard[name] is None

    def test_no_page_has_the_tag_of_the_index(self, python_real: Mirror) -> None:
        project, _ = python_real.index.single("tagged")
        made = (pages.real_json, pages.real_html, pages.poor_html)
        theirs = {pages.etag(make(project, python_real.index.files.url())) for make in made}
        for form in (*FORMS, *FORMS):
            assert (python_real.page("tagged", form)["etag"] or "").removeprefix("W/") not in theirs

    @pytest.mark.row(43, at="Python: a client's token and cookie reach no upstream")
    @both
    def test_what_a_client_proves_itself_with_is_told_to_nobody(self, python_mirror: Mirror) -> None:
        file = python_mirror.index.single("proof")[1]
        python_mirror.index.astray(file.path)
        proof = (("Authorization", "Basic c2VjcmV0OnNlY3JldA=="), ("Cookie", "session=secret"))
        for path in ("/pypi/simple/proof/", python_mirror.place(file)):
            assert python_mirror.ask(path, *proof).status == 200
        asked = [*python_mirror.index.log.of("/simple/proof/"), *python_mirror.index.log.of(file.path)]
        asked += python_mirror.index.beyond.log.of(file.path)
        assert len(asked) == 3
        assert not {name.lower() for record in asked for name, _ in record.headers} & {"authorization", "cookie"}

    @both
    @pytest.mark.parametrize("what", ["file", "page"])
    def test_what_is_elsewhere_is_stored_under_its_own_address(self, python_mirror: Mirror, what: str) -> None:
        file = python_mirror.index.single(f"elsewhere-{what}")[1]
        path = file.path if what == "file" else f"/simple/elsewhere-{what}/"
        python_mirror.index.astray(path)
        for _ in ("cold", "warm"):
            assert [link.name for link in python_mirror.links(f"elsewhere-{what}", HTML)] == [file.name]
            assert python_mirror.ask(python_mirror.place(file)).body == file.body
        assert python_mirror.index.beyond.requests(path) == len(python_mirror.index.gets(path)) == 1

    @pytest.mark.row(24, at="Python: the mirror's own token")
    def test_our_own_proof_is_for_the_index_alone(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("ours")
        with mirrored(tmp_path / "mirror", "real", more=f'auth = "bearer file:{tmp_path / "token"}"') as mirror:
            file = mirror.index.single("paid")[1]
            mirror.index.astray("/simple/paid/")
            assert mirror.page("paid", HTML).status == 200
            assert mirror.ask(mirror.place(file)).body == file.body
            shown = [dict(record.headers).get("authorization") for record in mirror.index.log]
            assert [dict(record.headers).get("authorization") for record in mirror.index.beyond.log] == [None]
            assert shown == ["Bearer ours", None]
