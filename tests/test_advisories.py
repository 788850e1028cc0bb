"""Advisories on disk: files, folders, zip files, and what is wrong with them."""

from __future__ import annotations

import json
import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from mirror.advisories import Bounds, read
from tests.policy.builders import advisory


def document(name: str, package: str = "six") -> bytes:
    return json.dumps(advisory(package, ("introduced", "0"), name=name)).encode()


def zipped(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def ids(paths: list[Path], bounds: Bounds | None = None) -> list[str]:
    return [found.id for found in read(paths, bounds).of("pypi", "six")]


def test_a_file_a_folder_and_a_zip_file_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "A.json").write_bytes(document("A"))
    (folder / "deep" / "B.json").write_bytes(document("B"))
    (folder / "README.md").write_text("not this")
    zipped(folder / "more.zip", {"C.json": document("C"), "folder/": b"", "notes.txt": b"not this"})
    (tmp_path / "D.json").write_bytes(document("D"))
    all_of_them = zipped(tmp_path / "all", {"E.json": document("E")}, zipfile.ZIP_STORED)
    known = read([folder, tmp_path / "D.json", all_of_them])
    assert [found.id for found in known.of("pypi", "six")] == ["A", "B", "C", "D", "E"]
    assert (known.count, known.problems) == (5, ())


def test_what_is_missing_or_no_file_is_told_of(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "A.json").write_bytes(document("A"))
    known = read([tmp_path / "nothing", tmp_path])
    assert known.problems == (f"{tmp_path}/nothing: no such file", f"{tmp_path}/pipe.json: not a file")
    assert known.count == 1


def test_a_file_that_may_not_be_read_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path, how: str) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "A.json").write_bytes(document("A"))
    monkeypatch.setattr(Path, "open", denied)  # root may read everything
    assert read([tmp_path]).problems == (f"{tmp_path}/A.json: Permission denied",)


def test_a_damaged_zip_file_is_told_of(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "whole.zip", {"A.json": document("A")}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-10])
    assert read([tmp_path / "cut.zip"]).problems == (f"{tmp_path}/cut.zip: not a zip file that can be read",)
    zipped(tmp_path / "flipped.zip", {"A.json": document("A"), "B.json": document("B")}, zipfile.ZIP_STORED)
    content = bytearray((tmp_path / "flipped.zip").read_bytes())
    content[60] ^= 1
    (tmp_path / "flipped.zip").write_bytes(content)
    known = read([tmp_path / "flipped.zip"])
    assert [found.id for found in known.of("pypi", "six")] == ["B"]
    assert "Bad CRC-32" in known.problems[0]


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """What a member's header says of its size is not asked."""
    bomb = zipped(tmp_path / "bomb.zip", {"A.json": b" " * (32 << 20), "B.json": document("B")})
    assert bomb.stat().st_size < 100_000
    bounds = Bounds(document=1 << 20)
    tracemalloc.start()
    try:
        known = read([bomb], bounds)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert ids([bomb], bounds) == ["B"]
    assert known.problems == (f"{bomb}: 'A.json': larger than {1 << 20} bytes",)


def test_all_of_it_together_has_a_bound(tmp_path: Path) -> None:
    several = {f"{number}.json": document(f"A{number}") for number in range(100)}
    size = len(several["0.json"])
    archive = zipped(tmp_path / "many.zip", several)
    known = read([archive, archive, archive], Bounds(whole=10 * size))
    assert known.count == 10
    assert [problem for problem in known.problems if "too much altogether" in problem] == list(known.problems)
    assert len(known.problems) == 1
    assert read([archive], Bounds(documents=7)).count == 7
