"""`mirror setup`: what it says where nothing can be written, where something else counts more, and of wrong usage."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirror import cli, setup
from mirror.settings import ServerSettings
from mirror.values import Address
from tests.instruments.house import CONFIG, House


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> House:
    return House(tmp_path, monkeypatch, capsys)


def test_curl_has_nothing_to_write_and_poetry_a_command_for_each_project(house: House) -> None:
    assert house.run("curl")[1] == "curl -O http://localhost:8000/get/https/HOST/PATH\n"
    assert [house.run("curl", how)[0] for how in ("--write", "--undo")] == [0, 0]
    assert house.run("poetry")[0] == 0
    code, _, err = house.run("poetry", "--write")
    assert code == 1
    assert "poetry source add --priority=primary mirror http://localhost:8000/pypi/simple/" in err
    assert "poetry source remove mirror" in house.run("poetry", "--undo")[2]


def test_environment_that_counts_more_is_told(house: House) -> None:
    house.environment(PIP_INDEX_URL="http://a.test/")
    assert "PIP_INDEX_URL is set in the environment" in house.run("pip", "--write")[1]


def test_upstream_that_is_found_by_asking_the_client_is_told_before_it_is_lost(house: House) -> None:
    (house.home / "npm").write_text("#!/bin/sh\necho http://upstream.test/npm/\n")
    (house.home / "npm").chmod(0o755)
    house.environment(PATH=f"{house.home}:/bin:/usr/bin")
    house.config('[mirrors.npm]\necosystem = "npm"\n')
    assert "auto" not in house.run("npm")[1]
    assert 'write upstream = "http://upstream.test/npm" there' in house.run("npm", "--write")[1]
    assert "auto" not in house.run("npm", "--write", "--server", "http://mirror.example.com")[1]


def test_server_alone_will_do_where_no_configuration_is(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (house.home / "empty").mkdir()
    monkeypatch.chdir(house.home / "empty")
    monkeypatch.delenv("MIRROR_CONFIG", raising=False)
    assert cli.main(["setup", "npm", "--server", "http://mirror.example.com"]) == 0
    assert "registry=http://mirror.example.com/npm/" in capsys.readouterr().out
    assert cli.main(["setup", "npm"]) == 2


@pytest.mark.parametrize(
    ("config", "arguments", "told"),
    [
        ('[mirrors.get]\necosystem = "any"\n', ["pip"], "no mirror for pip"),
        ('[server]\nlisten = "unix:/x"\n[mirrors.get]\necosystem = "any"\n', ["curl"], "give --server URL"),
        (CONFIG, ["pip", "--server", "mirror.example.com"], "is not a URL"),
    ],
)
def test_wrong_configuration_is_2(house: House, config: str, arguments: list[str], told: str) -> None:
    house.config(config)
    code, _, err = house.run(*arguments)
    assert (code, told in err) == (2, True)


@pytest.mark.parametrize("arguments", [["bower"], [], ["pip", "--write", "--undo"]])
def test_wrong_usage_is_2(house: House, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        house.run(*arguments)
    assert end.value.code == 2


@pytest.mark.parametrize(
    ("server", "address"),
    [
        (ServerSettings(Address("0.0.0.0", 8000)), "http://localhost:8000"),
        (ServerSettings(Address("::", 8000)), "http://localhost:8000"),
        (ServerSettings(Address("::1", 8000)), "http://localhost:8000"),
        (ServerSettings(Address("2001:db8::1", 80)), "http://[2001:db8::1]:80"),
        (ServerSettings(Address("mirror.example.com", 80)), "http://mirror.example.com:80"),
        (ServerSettings(Address("::", 8443), tls_cert=Path("/c"), tls_key=Path("/k")), "https://localhost:8443"),
        (ServerSettings(Address(path=Path("/x"))), "unix:/x"),
        (ServerSettings(public_url="https://mirror.example.com"), "https://mirror.example.com"),
    ],
)
def test_address_is_the_one_that_clients_see(server: ServerSettings, address: str) -> None:
    assert setup.address(server) == address
