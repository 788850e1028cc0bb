"""Which blobs were stored last."""

from __future__ import annotations

from pathlib import Path

from mirror.stores.recent import MOST, Recent


def blob(number: int) -> str:
    return f"{number:016x}"


def test_what_was_noted_is_told_after_a_kill(tmp_path: Path) -> None:
    recent = Recent(tmp_path / "recent")
    recent.note(blob(1))
    recent.note(blob(2))
    assert Recent(tmp_path / "recent").blobs() == [blob(1), blob(2)]
    recent.close()


def test_the_last_ones_are_told_however_many_there_were_and_however_often_it_was_killed(tmp_path: Path) -> None:
    recent = Recent(tmp_path / "recent")
    for number in range(3 * MOST + 5):
        recent.note(blob(number))
    assert recent.blobs() == [blob(number) for number in range(2 * MOST, 3 * MOST + 5)]
    again = Recent(tmp_path / "recent")
    again.note(blob(9))
    assert again.blobs()[-6:] == [*(blob(number) for number in range(3 * MOST, 3 * MOST + 5)), blob(9)]
    recent.close()
    again.close()


def test_what_is_no_id_and_a_line_that_was_not_written_whole_count_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "recent").write_bytes(b"../../etc/passwd\n" + blob(1).encode() + b"\n\xff\xfe\n00ff")
    assert Recent(tmp_path / "recent").blobs() == [blob(1)]


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    recent = Recent(tmp_path / "none" / "recent")
    recent.note(blob(1))
    assert recent.blobs() == []
    recent.close()
