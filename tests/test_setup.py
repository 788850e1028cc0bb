"""`mirror setup`: files in a home of the test's own; real clients read such files in e2e/test_setup.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirror.clients import Machine
from mirror.model import Mirror
from mirror.setup import Setup, shown
from tests.instruments.house import FILES, House


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> House:
    return House(tmp_path, monkeypatch, capsys)


each = pytest.mark.parametrize("client", FILES)
merging = pytest.mark.parametrize("client", [client for client in FILES if client != "apt"])


@each
def test_printing_writes_nothing(house: House, client: str) -> None:
    code, out, err = house.run(client)
    assert (code, err) == (0, "")
    assert "http://localhost:8000/" in out
    assert not (house.home / FILES[client][0]).exists()


@each
def test_new_file_is_removed_again(house: House, client: str) -> None:
    path = house.home / FILES[client][0]
    assert house.run(client, "--write")[0] == 0
    assert "http://localhost:8000/" in path.read_text()
    assert house.run(client, "--undo")[0] == 0
    assert [each.name for each in path.parent.iterdir() if "before-mirror" in each.name or each == path] == []


@merging
def test_existing_file_is_kept_beside_and_comes_back_byte_for_byte(house: House, client: str) -> None:
    path = house.before(client)
    was = path.read_bytes()
    assert house.run(client, "--write")[0] == 0
    assert path.with_name(f"{path.name}.before-mirror").read_bytes() == was
    assert was.decode().splitlines()[-1] in path.read_text()
    code, out, _ = house.run(client, "--undo")
    assert (code, path.read_bytes()) == (0, was)
    assert f"{path}: as it was before" in out
    assert not path.with_name(f"{path.name}.before-mirror").exists()


@merging
def test_second_write_changes_nothing(house: House, client: str) -> None:
    path = house.before(client)
    house.run(client, "--write")
    written, number = path.read_bytes(), path.stat().st_ino
    code, out, _ = house.run(client, "--write")
    assert (code, path.read_bytes(), path.stat().st_ino) == (0, written, number)
    assert f"{path}: is set to the mirror already" in out


@merging
def test_file_that_was_changed_since_stays(house: House, client: str) -> None:
    path = house.before(client)
    house.run(client, "--write")
    with path.open("a") as file:
        file.write("# mine\n")
    changed = path.read_bytes()
    assert house.run(client, "--write")[0] == 0
    code, _, err = house.run(client, "--undo")
    assert (code, path.read_bytes()) == (1, changed)
    assert f"{path}: not as `mirror setup` left it" in err
    assert f"{path}.before-mirror" in err


def test_new_file_that_lost_its_mark_stays_and_is_told(house: House) -> None:
    house.run("npm", "--write")
    path = house.home / ".npmrc"
    path.write_text("registry=http://localhost:8000/npm/\nfund=false\n")  # as `npm config set fund false` leaves it
    code, _, err = house.run("npm", "--undo")
    assert (code, path.exists()) == (1, True)
    assert "take the mirror out by hand" in err


def test_removed_file_is_not_brought_back(house: House) -> None:
    path = house.before("pip")
    house.run("pip", "--write")
    path.unlink()
    code, _, err = house.run("pip", "--undo")
    assert (code, path.exists()) == (1, False)
    assert "removed since" in err


def test_undo_without_a_write_is_nothing_to_do(house: House) -> None:
    path = house.before("pip")
    code, out, _ = house.run("pip", "--undo")
    assert (code, out) == (0, f"{path}: nothing to undo\n")


def test_undo_needs_no_configuration(house: House) -> None:
    path = house.before("pip")
    house.run("pip", "--write")
    (house.home / "config.toml").unlink()
    assert house.run("pip", "--undo")[0] == 0
    assert path.read_text() == FILES["pip"][1]


def test_other_address_replaces_the_first_and_undo_goes_back_before_both(house: House) -> None:
    path = house.before("pip")
    house.run("pip", "--write")
    assert house.run("pip", "--write", "--server", "http://mirror.example.com:1/")[0] == 0
    assert "localhost" not in path.read_text()
    assert "trusted-host = mirror.example.com:1\n" in path.read_text()
    house.run("pip", "--undo")
    assert path.read_text() == FILES["pip"][1]


def test_earlier_backup_is_not_overwritten(house: House) -> None:
    path = house.before("npm")
    path.with_name(".npmrc.before-mirror").write_text("old")
    code, _, err = house.run("npm", "--write")
    assert (code, path.read_text()) == (1, FILES["npm"][1])
    assert "move it away first" in err


def test_permissions_and_links_are_kept(house: House) -> None:
    (house.home / "dotfiles").mkdir()
    real = house.home / "dotfiles/npmrc"
    real.write_text("//a.test/:_authToken=x\n")
    real.chmod(0o600)
    (house.home / ".npmrc").symlink_to(real)
    house.run("npm", "--write")
    assert (house.home / ".npmrc").is_symlink()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (house.home / "dotfiles").iterdir()}
    assert modes == {"npmrc": 0o600, "npmrc.before-mirror": 0o600}


def test_file_that_cannot_be_merged_stays_with_the_reason_and_the_text(house: House) -> None:
    path = house.before("pip")
    path.write_text("[install]\nindex-url = http://a.test/\n")
    code, _, err = house.run("pip", "--write")
    assert (code, path.read_text()) == (1, "[install]\nindex-url = http://a.test/\n")
    assert "in [install] too" in err
    assert "index-url = http://localhost:8000/pypi/simple/" in err


def test_file_that_is_not_text_and_place_that_cannot_be_written_are_failures(house: House) -> None:
    house.before("pip").write_bytes(b"\xff")
    assert "not UTF-8 text" in house.run("pip", "--write")[2]
    (house.home / ".config/uv").write_text("in the way")
    code, _, err = house.run("uv", "--write")
    assert (code, "uv.toml: " in err) == (1, True)


def test_apt_names_the_sources_to_disable_and_touches_none(house: House) -> None:
    parts = house.home / "etc/apt/sources.list.d"
    (parts / "debian.sources").write_text("Types: deb\nURIs: http://upstream.test/debian\nSuites: bookworm\n")
    (parts / "other.list").write_text("deb http://upstream.test/other stable main\n# deb http://a.test/debian x y\n")
    code, out, _ = house.run("apt", "--write")
    assert code == 0
    assert f"{parts}/debian.sources: names the same archive" in out
    assert "other.list" not in out
    assert len(list(parts.iterdir())) == 3


def test_apt_file_of_somebody_else_stays_and_so_does_ours_once_it_was_changed(house: House) -> None:
    path = house.home / FILES["apt"][0]
    path.write_text("Types: deb\n")
    code, _, err = house.run("apt", "--write")
    assert (code, path.read_text(), "move it away first" in err) == (1, "Types: deb\n", True)
    path.unlink()
    assert [house.run("apt", "--write")[0] for _ in range(2)] == [0, 0]
    path.write_text(path.read_text().replace("Components: main", "Components: main contrib"))
    assert [house.run("apt", how)[0] for how in ("--write", "--undo")] == [1, 1]
    assert "main contrib" in path.read_text()


def test_apt_without_a_code_name_is_printed_and_not_written(house: House) -> None:
    (house.home / "etc/os-release").unlink()
    assert "Suites: SUITE " in house.run("apt")[1]
    assert house.run("apt", "--write")[0] == 1
    assert not (house.home / FILES["apt"][0]).exists()


def test_what_is_shown_says_where_the_token_goes(tmp_path: Path) -> None:
    mirror = Mirror("pypi", "pypi", access="token")
    said = shown(Setup("pip", Machine({"HOME": str(tmp_path)}, tmp_path, ""), "http://mirror.test", (mirror,)))
    assert said.endswith("\n# token: machine mirror.test login mirror password TOKEN    (in ~/.netrc)")
    assert said.count("TOKEN") == 1
