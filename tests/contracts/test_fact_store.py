"""What every fact store keeps to, and what the one on disk survives."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirror.changes import Mark, of_facts
from mirror.errors import OriginError, StoreError
from mirror.model import Digest, Fact
from mirror.ports import FactStore
from mirror.stores.facts import FileFacts
from mirror.stores.memory import MemoryFacts

SHA256 = Digest("sha256", "ab" * 32)
NOW = 1_700_000_000.25
SIX = Fact(
    *(
        "/files/six-1.0.tar.gz",
        "http://upstream.test/six-1.0.tar.gz",
        SHA256,
        123,
        "six",
        "1.0",
        1_600_000_000.5,
        "MIT",
    ),
    first_seen=NOW,
)


def seen(fact: Fact, at: float = NOW) -> Fact:
    return replace(fact, first_seen=at)


class Facts(FactStore, Protocol):
    async def drop(self, mirror: str) -> None: ...


@pytest.fixture
async def on_disk(tmp_path: Path) -> AsyncIterator[FileFacts]:
    facts = FileFacts(tmp_path / "facts.v1")
    await facts.start()
    yield facts
    await facts.close()


@pytest.fixture(params=["disk", "memory"])
async def facts(request: pytest.FixtureRequest, on_disk: FileFacts) -> Facts:
    return on_disk if request.param == "disk" else MemoryFacts()


async def reopened(facts: FileFacts) -> FileFacts:
    await facts.close()
    again = FileFacts(facts._path)
    await again.start()
    await again.count()
    return again


def files(facts: FileFacts) -> list[Path]:
    return sorted(path for path in facts._path.rglob("*") if path.is_file())


class TestEveryFactStore:
    async def test_a_fact_is_found_in_its_slot(self, facts: Facts) -> None:
        await facts.put("pypi", "/simple/six/", "d1", [SIX], NOW)
        assert await facts.find("pypi", ["/simple/six/"], SIX.name) == SIX
        assert await facts.source("pypi", "/simple/six/") == "d1"

    async def test_what_is_not_known_is_none(self, facts: Facts) -> None:
        assert await facts.find("pypi", ["/simple/six/"], SIX.name) is None
        assert await facts.find("pypi", [], SIX.name) is None
        assert await facts.source("pypi", "/simple/six/") is None
        await facts.put("pypi", "/simple/six/", "d1", [SIX], NOW)
        assert await facts.find("npm", ["/simple/six/"], SIX.name) is None
        assert await facts.find("pypi", ["/simple/seven/"], SIX.name) is None
        for name in ("", "/", SIX.name[:-1], SIX.name + "x", "\uffff", "/files/six-1.0.tar.gz\t", "\ud800"):
            assert await facts.find("pypi", ["/simple/six/"], name) is None

    async def test_a_document_without_files_is_known_all_the_same(self, facts: Facts) -> None:
        await facts.put("pypi", "/simple/none/", "d1", [], NOW)
        assert await facts.source("pypi", "/simple/none/") == "d1"
        assert await facts.find("pypi", ["/simple/none/"], SIX.name) is None

    async def test_what_is_not_known_of_a_file_stays_unknown(self, facts: Facts) -> None:
        plain, empty = Fact("/a"), Fact("/b", size=0)
        await facts.put("apt", "/p", "d1", [plain, empty], NOW)
        assert await facts.find("apt", ["/p"], "/a") == seen(plain)
        assert await facts.find("apt", ["/p"], "/b") == seen(empty)

    async def test_newer_facts_replace_the_older_as_a_whole(self, facts: Facts) -> None:
        await facts.put("pypi", "/s", "d1", [SIX, Fact("/old")], NOW)
        await facts.put("pypi", "/s", "d2", [Fact("/new")], NOW)
        assert await facts.source("pypi", "/s") == "d2"
        assert await facts.find("pypi", ["/s"], "/old") is None
        assert await facts.find("pypi", ["/s"], "/new") == seen(Fact("/new"))

    async def test_slots_are_searched_in_their_order(self, facts: Facts) -> None:
        await facts.put("apt", "/one", "d1", [Fact("/a", size=1)], NOW)
        await facts.put("apt", "/two", "d2", [Fact("/a", size=2), Fact("/b", size=2)], NOW)
        assert await facts.find("apt", ["/one", "/two"], "/a") == seen(Fact("/a", size=1))
        assert await facts.find("apt", ["/two", "/one"], "/a") == seen(Fact("/a", size=2))
        assert await facts.find("apt", ["/none", "/one", "/two"], "/b") == seen(Fact("/b", size=2))

    async def test_without_slots_the_newest_document_of_the_mirror_wins(self, facts: Facts) -> None:
        await facts.put("apt", "/one", "d1", [Fact("/a", size=1)], NOW)
        await facts.put("apt", "/two", "d2", [Fact("/a", size=2)], NOW)
        await facts.put("npm", "/one", "d3", [Fact("/a", size=3)], NOW)
        assert await facts.find("apt", [], "/a") == seen(Fact("/a", size=2))
        await facts.put("apt", "/one", "d4", [Fact("/a", size=4)], NOW)
        assert await facts.find("apt", [], "/a") == seen(Fact("/a", size=4))

    async def test_a_document_that_breaks_off_leaves_the_old_facts(self, facts: Facts) -> None:
        def broken() -> Iterator[Fact]:
            yield Fact("/new")
            raise OriginError("the document ends early")

        await facts.put("pypi", "/s", "d1", [SIX], NOW)
        with pytest.raises(OriginError, match="ends early"):
            await facts.put("pypi", "/s", "d2", broken(), NOW)
        assert await facts.source("pypi", "/s") == "d1"
        assert await facts.find("pypi", ["/s"], SIX.name) == SIX
        assert await facts.find("pypi", [], "/new") is None

    async def test_the_last_of_two_facts_with_one_name_counts(self, facts: Facts) -> None:
        await facts.put("pypi", "/s", "d1", [Fact("/a", size=1), Fact("/b"), Fact("/a", size=2)], NOW)
        assert await facts.find("pypi", ["/s"], "/a") == seen(Fact("/a", size=2))

    async def test_what_is_known_of_a_file_comes_back(self, facts: Facts) -> None:
        odd = Fact("/é", package="@größe/é", version="1.0 rc", published=-1.5, license="MIT OR (Apache-2.0)")
        await facts.put("npm", "/s", "d1", [odd], NOW)
        assert await facts.find("npm", ["/s"], "/é") == seen(odd)

    async def test_a_name_that_is_put_again_keeps_the_instant_of_its_first_put(self, facts: Facts) -> None:
        await facts.put("pypi", "/s", "d1", [Fact("/a"), Fact("/b", size=1)], NOW)
        await facts.put("pypi", "/s", "d2", [Fact("/b", size=2), Fact("/c", first_seen=1.0)], NOW + 10)
        await facts.put("pypi", "/s", "d3", [Fact("/a"), Fact("/b", size=3), Fact("/c")], NOW + 20)
        assert await facts.find("pypi", ["/s"], "/b") == seen(Fact("/b", size=3))
        assert await facts.find("pypi", ["/s"], "/c") == seen(Fact("/c"), NOW + 10)
        assert await facts.seen("pypi", "/s") == {"/a": NOW + 20, "/b": NOW, "/c": NOW + 10}

    async def test_an_instant_that_has_not_come_yet_is_no_first_one(self, facts: Facts) -> None:
        await facts.put("pypi", "/s", "d1", [Fact("/a")], NOW + 1e9)  # the clock was wrong
        await facts.put("pypi", "/s", "d2", [Fact("/a")], NOW)
        assert await facts.seen("pypi", "/s") == {"/a": NOW}

    async def test_names_are_first_seen_in_each_document_of_its_own(self, facts: Facts) -> None:
        await facts.put("pypi", "/s", "d1", [Fact("/a")], NOW)
        await facts.put("pypi", "/t", "d1", [Fact("/a")], NOW + 1)
        await facts.put("npm", "/s", "d1", [Fact("/a")], NOW + 2)
        found = [await facts.seen(*slot) for slot in (("pypi", "/s"), ("pypi", "/t"), ("npm", "/s"), ("npm", "/t"))]
        assert found == [{"/a": NOW}, {"/a": NOW + 1}, {"/a": NOW + 2}, {}]

    async def test_all_of_a_slot_are_listed_and_all_slots_are_gone_through(self, facts: Facts) -> None:
        assert await facts.page("pypi", "") is None
        other = replace(SIX, name="/files/other-1.0.tar.gz", package="other")
        await facts.put("pypi", "simple/six", "1", [SIX, replace(SIX, name="/files/six-2.0.tar.gz")], NOW)
        await facts.put("pypi", "simple/other", "1", [other], NOW)
        await facts.put("npm", "six", "1", [SIX], NOW)
        names = sorted(fact.name for fact in await facts.listed("pypi", "simple/six"))
        assert names == ["/files/six-1.0.tar.gz", "/files/six-2.0.tar.gz"]
        assert SIX in await facts.listed("pypi", "simple/six")
        assert await facts.listed("pypi", "simple/none") == []
        place, found = "", []
        while (page := await facts.page("pypi", place)) is not None:
            place, slot, facts_of_it = page
            assert slot in ("simple/six", "simple/other")
            found += [fact.name for fact in facts_of_it]
        assert sorted(found) == ["/files/other-1.0.tar.gz", *names]

    async def test_drop_removes_one_mirror(self, facts: Facts) -> None:
        await facts.put("pypi", "/s", "d1", [SIX], NOW)
        await facts.put("npm", "/s", "d1", [SIX], NOW)
        await facts.find("pypi", [], SIX.name)
        await facts.drop("pypi")
        await facts.drop("never")
        assert await facts.source("pypi", "/s") is None
        assert await facts.find("pypi", [], SIX.name) is None
        assert await facts.find("npm", [], SIX.name) == SIX
        await facts.put("pypi", "/s", "d2", [SIX], NOW)
        assert await facts.find("pypi", [], SIX.name) == SIX


NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)


class TestOnDisk:
    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.builds(Fact, NAMES, NAMES | st.just(""), st.sampled_from([None, SHA256])), max_size=60))
    async def test_every_name_is_found_among_any_others(self, on_disk: FileFacts, known: list[Fact]) -> None:
        await on_disk.put("m", "/s", "d", known, NOW)
        last = {fact.name: fact for fact in known}
        for name, fact in last.items():
            assert await on_disk.find("m", ["/s"], name) == seen(fact)
            assert (await on_disk.find("m", ["/s"], name + "!") is None) == (name + "!" not in last)

    async def test_all_of_many_are_found_however_long_their_lines(self, on_disk: FileFacts) -> None:
        known = [Fact(f"/{n}", "u" * (n * 37 % 8100), size=n) for n in range(500)]
        await on_disk.put("m", "/s", "d", known, NOW)
        for fact in known:
            assert await on_disk.find("m", ["/s"], fact.name) == seen(fact)

    async def test_facts_outlive_the_process(self, on_disk: FileFacts) -> None:
        await on_disk.put("pypi", "/s", "d1", [SIX], NOW)
        again = await reopened(on_disk)
        assert await again.find("pypi", [], SIX.name) == SIX
        assert await again.source("pypi", "/s") == "d1"
        assert again.bytes_on_disk() == on_disk.bytes_on_disk() > 0
        await again.close()

    async def test_a_list_of_the_older_form_answers_and_is_to_be_read_once_more(self, on_disk: FileFacts) -> None:
        await on_disk.put("m", "/s", "d", [SIX, Fact("/other")], NOW)
        old = replace(SIX, package="", version="", published=None, license="", first_seen=NOW - 50)
        body = f"/files/six-1.0.tar.gz\t{SIX.url}\t{SHA256}\t123\n/other\t\t\t\n".encode()
        (file,) = files(on_disk)
        first = json.dumps({"slot": "/s", "source": "d", "count": 2, "size": len(body)}).encode()
        file.write_bytes(first + b"\n" + body)
        os.utime(file, (NOW - 50, NOW - 50))
        again = await reopened(on_disk)
        assert await again.find("m", ["/s"], SIX.name) == await again.find("m", [], SIX.name) == old
        assert await again.source("m", "/s") is None
        await again.put("m", "/s", "d", [SIX, Fact("/new")], NOW)
        assert await again.source("m", "/s") == "d"
        assert await again.find("m", ["/s"], SIX.name) == seen(SIX, NOW - 50)
        assert await again.find("m", ["/s"], "/new") == seen(Fact("/new"))
        await again.close()

    async def test_a_list_of_a_form_to_come_is_no_facts(self, on_disk: FileFacts) -> None:
        await on_disk.put("m", "/s", "d", [SIX], NOW)
        (file,) = files(on_disk)
        file.write_bytes(file.read_bytes().replace(b'"form": 2', b'"form": 3'))
        assert await on_disk.find("m", ["/s"], SIX.name) is None
        assert files(on_disk) == []

    @pytest.mark.parametrize("odd", ["/a\nb", "/a\tb", "/a\x00b", "/a\x7fb", "", "/a\ud800", "/" + "a" * 9000])
    async def test_a_fact_that_cannot_stand_in_a_line_is_left_out(self, on_disk: FileFacts, odd: str) -> None:
        sane = Fact("/sane")
        await on_disk.put(
            "m",
            "/s",
            "d",
            [
                Fact(odd),
                Fact("/url", url=odd or "\n"),
                sane,
                Fact("/license", license=odd or "\n"),
                Fact("/size", size=-1),
            ],
            NOW,
        )
        for name in (odd, "/url", "/size", "/license"):
            assert await on_disk.find("m", ["/s"], name) is None
        assert await on_disk.find("m", ["/s"], "/sane") == seen(sane)

    async def test_the_size_on_disk_is_kept_up_to_date(self, on_disk: FileFacts) -> None:
        assert on_disk.bytes_on_disk() == 0
        await on_disk.put("m", "/s", "d", [Fact(f"/{n}") for n in range(1000)], NOW)
        large = on_disk.bytes_on_disk()
        assert large > 4096
        await on_disk.put("m", "/s", "d", [], NOW)
        assert on_disk.bytes_on_disk() == 4096
        await on_disk.put("m", "/t", "d", [], NOW)
        await on_disk.drop("m")
        assert on_disk.bytes_on_disk() == 0

    @pytest.mark.parametrize(
        "how",
        {
            "empty": lambda body: b"",
            "shorter": lambda body: body[:-1],
            "longer": lambda body: body + b"x",
            "zeros": lambda body: bytes(len(body)),
            "zeros behind the first line": lambda body: body.partition(b"\n")[0] + b"\n" + b"\n" * len(body),
            "a list": lambda body: b"[]\n",
            "no line": lambda body: b"x" * 100_000,
        }.items(),
        ids=lambda how: how[0],
    )
    async def test_a_broken_file_is_no_facts(
        self, on_disk: FileFacts, how: tuple[str, Callable[[bytes], bytes]]
    ) -> None:
        await on_disk.put("m", "/s", "d", [SIX], NOW)
        (file,) = files(on_disk)
        file.write_bytes(how[1](file.read_bytes()))
        assert await on_disk.source("m", "/s") is None
        assert await on_disk.find("m", ["/s"], SIX.name) is None
        assert await on_disk.find("m", [], SIX.name) is None
        assert files(on_disk) == []
        await on_disk.put("m", "/s", "d", [SIX], NOW)
        assert await on_disk.find("m", ["/s"], SIX.name) == SIX

    async def test_lines_that_are_no_facts_are_removed_when_they_are_met(self, on_disk: FileFacts) -> None:
        await on_disk.put("m", "/s", "d", [SIX], NOW)
        (file,) = files(on_disk)
        first, _, rest = file.read_bytes().partition(b"\n")
        file.write_bytes(first + b"\n" + bytes(len(rest)))
        assert await on_disk.find("m", ["/s"], SIX.name) is None
        assert await on_disk.source("m", "/s") is None

    async def test_a_draft_of_a_killed_process_is_removed(self, on_disk: FileFacts) -> None:
        await on_disk.put("m", "/s", "d", [SIX], NOW)
        (file,) = files(on_disk)
        file.with_suffix(".0000.draft").write_bytes(b"half")
        again = await reopened(on_disk)
        assert files(again) == [file]
        await again.close()

    async def test_what_is_written_while_it_is_counted_is_whole_and_counts_once(self, on_disk: FileFacts) -> None:
        await on_disk.put("m", "/s", "d", [SIX], NOW)
        begun, counted = threading.Event(), threading.Event()

        def write(path: Path, body: bytes) -> int:
            with path.open("wb") as file:
                begun.set()
                assert counted.wait(20)
                return file.write(body)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "write_bytes", write)
            putting = asyncio.create_task(on_disk.put("m", "/t", "d", [SIX], NOW))
            await asyncio.to_thread(begun.wait, 20)
            await on_disk.count()
            counted.set()
            await putting
        await on_disk.count()
        assert await on_disk.find("m", ["/t"], SIX.name) == SIX
        assert on_disk.bytes_on_disk() == 2 * 4096

    async def test_a_document_that_breaks_off_leaves_no_draft(self, on_disk: FileFacts) -> None:
        def broken() -> Iterator[Fact]:
            yield SIX
            raise OriginError("no")

        with pytest.raises(OriginError):
            await on_disk.put("m", "/s", "d", broken(), NOW)
        assert files(on_disk) == []

    async def test_a_disk_that_refuses_is_a_store_error_and_the_old_facts_stay(
        self, on_disk: FileFacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await on_disk.put("m", "/s", "d", [SIX], NOW)
        before = on_disk.bytes_on_disk()

        def refuse(_path: Path, _to: Path) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", refuse)
            with pytest.raises(StoreError, match="No space left"):
                await on_disk.put("m", "/s", "d2", [], NOW)
        assert await on_disk.source("m", "/s") == "d"
        assert len(files(on_disk)) == 1
        assert on_disk.bytes_on_disk() == before

    @pytest.mark.row(50, at="a link in place of a list of facts")
    async def test_a_planted_link_is_not_followed(self, on_disk: FileFacts, tmp_path: Path) -> None:
        await on_disk.put("m", "/s", "d", [SIX], NOW)
        (file,) = files(on_disk)
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
        assert await on_disk.source("m", "/s") is None


async def test_it_tells_of_what_has_changed(facts: Facts) -> None:
    def marks() -> list[Mark]:
        return [facts.changes.mark(*of_facts("m", slots)) for slots in ((), ("s",), ("other", "s"), ("other",))]

    def changed(marks: list[Mark]) -> list[bool]:
        return [facts.changes.since(mark) for mark in marks]

    before = marks()
    await facts.put("m", "s", "d", [SIX], NOW)
    assert changed(before) == [True, True, True, False]
    before = marks()
    await facts.put("another", "s", "d", [SIX], NOW)
    assert changed(before) == [False] * 4
    await facts.drop("m")
    assert changed(before) == [True] * 4


async def test_it_tells_that_a_broken_list_is_gone(on_disk: FileFacts) -> None:
    await on_disk.put("m", "s", "d", [SIX], NOW)
    before = on_disk.changes.mark(*of_facts("m", ("s",)))
    files(on_disk)[0].write_bytes(b"{}")
    assert await on_disk.source("m", "s") is None
    assert on_disk.changes.since(before)
