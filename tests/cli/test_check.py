"""`mirror check` reads what the policy reads, and says which exemptions end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mirror.cautions import ending
from mirror.cli import main
from mirror.clients import Discovered
from mirror.config import load
from tests.policy.builders import advisory

MIRROR = '[mirrors.pypi]\necosystem = "pypi"\nupstream = "http://upstream.test/simple"\n'


def checked(folder: Path, capsys: pytest.CaptureFixture[str], text: str) -> list[str]:
    (folder / "config.toml").write_text(text + MIRROR)
    assert main(["check", "--config", str(folder / "config.toml")]) == 0
    return capsys.readouterr().out.splitlines()


def test_advisories_are_read_and_what_cannot_be_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "osv").mkdir()
    (tmp_path / "osv" / "good.json").write_text(json.dumps(advisory("six", versions=["1.0"])))
    (tmp_path / "osv" / "bad.zip").write_bytes(b"PK\x03\x04 half of it")
    said = checked(tmp_path, capsys, '[policy]\nadvisories = ["osv"]\n')
    assert f"note: advisories: {tmp_path}/osv/bad.zip: not a zip file that can be read" in said
    assert "note: advisories: 1 are known" in said
    assert said[-1].endswith("config.toml: good")


def test_of_a_url_the_copy_is_read_and_nothing_is_fetched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '[policy]\nadvisories = ["http://upstream.test/all.zip"]\n'
    said = checked(tmp_path, capsys, text)
    (told,) = [line for line in said if "advisories" in line]
    assert "http://upstream.test/all.zip there is no copy yet" in told
    (copy,) = load(tmp_path / "config.toml").copies
    copy.path.parent.mkdir(parents=True)
    copy.path.write_text(json.dumps([advisory("six", versions=["1.0"])]))
    assert "note: advisories: 1 are known" in checked(tmp_path, capsys, text)


def test_exemptions_that_have_ended_or_are_about_to_are_named_with_who_answers(tmp_path: Path) -> None:
    now = datetime(2026, 11, 1, 12, tzinfo=UTC)
    text = '[policy]\nmin_age = "3d"\n'
    for name, hours in (("later", 7 * 24 + 1), ("over", -1), ("soon", 50)):
        until = (now + timedelta(hours=hours)).isoformat()
        text += f'[[policy.exempt]]\npackages = ["{name}"]\nowner = "ops"\nreason = "r"\nuntil = {until}\n'
    until = (now + timedelta(hours=60)).isoformat()
    own = f'[[mirrors.pypi.policy.exempt]]\npackages = ["own@1.0"]\nowner = "me"\nreason = "r"\nuntil = {until}\n'
    own = own.replace("own@1.0", "pkg:pypi/own@1.0")
    (tmp_path / "config.toml").write_text(text + MIRROR + own)

    def nothing(*_: object) -> Discovered:
        raise AssertionError("no client is asked here")

    config = load(tmp_path / "config.toml", discover=nothing)
    assert ending(config, now.timestamp()) == [
        "[[policy.exempt]] over has expired (2026-11-01 11:00 UTC): ops answers for it",
        "[[policy.exempt]] soon ends in 2 days (2026-11-03 14:00 UTC): ops answers for it",
        "[[policy.exempt]] pypi:own@1.0 ends in 2 days (2026-11-04 00:00 UTC): me answers for it",
    ]


def test_the_command_names_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '[[policy.exempt]]\npackages = ["six"]\nowner = "ops"\nreason = "r"\nuntil = 2020-01-01\n'
    said = checked(tmp_path, capsys, text)
    assert "note: [[policy.exempt]] six has expired (2020-01-02 00:00 UTC): ops answers for it" in said
