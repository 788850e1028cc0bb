"""What pip, npm and apt are set to is found out by asking them; here they are scripts and files of the test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.clients import Discovered, Machine, discover
from mirror.errors import ConfigError, Unavailable

OWN = frozenset({"127.0.0.1:8000", "mirror.test:443"})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without clients: nothing on PATH but what a test puts there, and a Python that does not exist."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    return Machine({"PATH": str(tmp_path / "bin")}, tmp_path / "apt", str(tmp_path / "bin/python"))


def install(machine: Machine, program: str, script: str) -> None:
    path = Path(machine.env["PATH"]) / program
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def reason(ecosystem: str, name: str, machine: Machine) -> str:
    with pytest.raises(Unavailable) as error:
        discover(ecosystem, name, OWN, machine=machine)
    return str(error.value)


def test_npm_is_asked_for_its_registry(machine: Machine) -> None:
    install(machine, "npm", '[ "$*" = "config get registry" ] && echo "http://upstream.test/npm/"')
    assert discover("npm", "npm", OWN, machine=machine) == Discovered("http://upstream.test/npm")


def test_client_gets_the_environment_and_no_project_directory(machine: Machine) -> None:
    install(machine, "npm", 'echo "http://upstream.test/$REGISTRY$PWD"')
    told = discover("npm", "npm", OWN, machine=replace(machine, env={**machine.env, "REGISTRY": "mine"}))
    assert told.url == "http://upstream.test/mine"


def test_missing_client_is_the_reason(machine: Machine) -> None:
    assert reason("npm", "npm", machine) == "npm is not installed on this machine"
    assert reason("apt", "debian", machine) == "apt on this machine has no sources"
    assert reason("pypi", "pypi", machine) == "pip on this machine cannot be started: No such file or directory"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 3", "npm on this machine could not be asked: exit 3"),
        ("true", "npm on this machine names no registry"),
        (
            "echo undefined",
            "npm on this machine is set to what cannot be an upstream: "
            '"undefined" is not a URL (write http://HOST/... or https://HOST/...)',
        ),
        (
            "while :; do echo 0123456789abcdef0123456789abcdef; done",
            "npm on this machine could not be asked: too much output",
        ),
    ],
)
def test_client_that_gives_no_answer_is_unavailable(machine: Machine, script: str, told: str) -> None:
    install(machine, "npm", script)
    assert reason("npm", "npm", machine) == told


@pytest.mark.timeout(20)
def test_client_that_hangs_is_ended_with_what_it_started(machine: Machine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "life")
    life = os.open(tmp_path / "life", os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(life, True)
    # The parent is gone at once; its child holds our pipe, and the fifo until it dies.
    install(machine, "npm", f"(exec 3>'{tmp_path}/life'; echo up >&3; exec {shutil.which('sleep')} 60) & exit 0")
    told = reason("npm", "npm", replace(machine, patience=1.0))
    assert told == "npm on this machine did not answer in 1 s"
    assert (os.read(life, 10), os.read(life, 10)) == (b"up\n", b"")
    os.close(life)


@pytest.mark.parametrize("url", ["http://localhost:8000/npm/", "http://[::1]:8000/npm", "https://Mirror.TEST/npm"])
def test_client_that_is_set_to_this_mirror_is_refused(machine: Machine, url: str) -> None:
    install(machine, "npm", f"echo '{url}'")
    told = reason("npm", "npm", machine)
    assert told.startswith("npm on this machine is set to this mirror itself (http")
    assert told.endswith("): write its upstream into config.toml")


def test_credentials_in_a_url_become_the_authorization_field(machine: Machine) -> None:
    install(machine, "npm", "echo http://me:sword%40fish@upstream.test/npm/")
    told = discover("npm", "npm", OWN, machine=machine)
    assert told == Discovered("http://upstream.test/npm", ("authorization", "Basic bWU6c3dvcmRAZmlzaA=="))
    assert "Basic" not in repr(told)


def test_credentials_stand_in_no_reason(machine: Machine) -> None:
    for url in (
        "http://me:swordfish@localhost:8000/npm",
        "http://me:swordfish@upstream.test/?x",
        "me:swordfish@upstream",
    ):
        install(machine, "npm", f"echo '{url}'")
        assert "swordfish" not in reason("npm", "npm", machine)
    (machine.apt / "sources.list").write_text("deb http://me:swordfish@upstream.test/other stable main")
    assert "http://***@upstream.test/other" in reason("apt", "ubuntu", machine)


def test_http_has_no_client_to_ask(machine: Machine) -> None:
    with pytest.raises(ConfigError, match="an http mirror needs a URL"):
        discover("http", "get", OWN, machine=machine)


def test_pip_environment_comes_first_and_gets_the_index_root(machine: Machine) -> None:
    install(machine, "python", "echo http://upstream.test/from-pip/simple")
    env = {**machine.env, "PIP_INDEX_URL": "http://upstream.test/root/"}
    assert discover("pypi", "pypi", OWN, machine=replace(machine, env=env)).url == "http://upstream.test/root/simple"


def test_pip_is_asked_in_the_own_python_and_then_in_the_one_on_the_path(machine: Machine) -> None:
    install(machine, "python3", "echo http://upstream.test/second/+simple/")
    assert discover("pypi", "pypi", OWN, machine=machine).url == "http://upstream.test/second/+simple"
    install(machine, "python", "echo http://upstream.test/first/simple")
    assert discover("pypi", "pypi", OWN, machine=machine).url == "http://upstream.test/first/simple"


def test_uv_is_considered_only_where_no_pip_is(machine: Machine) -> None:
    with_uv = replace(machine, env={**machine.env, "UV_DEFAULT_INDEX": "mine=http://upstream.test/uv/simple"})
    install(machine, "python", "exit 0")
    assert reason("pypi", "pypi", machine) == "pip is not installed on this machine"
    assert discover("pypi", "pypi", OWN, machine=with_uv).url == "http://upstream.test/uv/simple"
    install(machine, "python", "echo http://upstream.test/pip/simple")
    assert discover("pypi", "pypi", OWN, machine=with_uv).url == "http://upstream.test/pip/simple"


def real(machine: Machine, **env: str) -> Machine:
    """The fake machine with the Python that runs this test."""
    return replace(machine, env={**machine.env, "PIP_CONFIG_FILE": os.devnull, **env}, python=sys.executable)


def answer_of(machine: Machine) -> str:
    try:
        return discover("pypi", "pypi", frozenset(), machine=machine).url
    except Unavailable as error:
        if "not installed" in str(error):
            pytest.skip(f"no pip to ask: {error}")
        raise


def test_real_pip_reads_its_own_configuration_file(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = http://upstream.test/configured/simple/\n")
    told = answer_of(real(machine, PIP_CONFIG_FILE=str(tmp_path / "pip.conf")))
    assert told == "http://upstream.test/configured/simple"


def test_venv_without_pip_uses_the_wheel_that_python_carries(machine: Machine, tmp_path: Path) -> None:
    pytest.importorskip("ensurepip", reason="this Python carries no wheel of pip")
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    told = answer_of(replace(real(machine), python=str(venv / "bin/python")))
    assert told.startswith(("http://", "https://"))


ONE_LINE = """\
# deb http://upstream.test/commented stable main
deb cdrom:[Debian 12]/ bookworm main
deb-src http://upstream.test/sources stable main
deb [arch=amd64 signed-by=/key.asc] http://upstream.test/third-party/ stable main
  deb  http://upstream.test/debian  bookworm main
"""
DEB822 = """\
Types: deb
# a comment
URIs: http://security.test/debian-security
  http://second.test/debian/
Suites: bookworm-security

Enabled: no
Types: deb
URIs: http://off.test/ubuntu

Types: deb-src
URIs: http://src.test/ubuntu
"""


def sources(machine: Machine) -> None:
    (machine.apt / "sources.list").write_text(ONE_LINE)
    (machine.apt / "sources.list.d/security.sources").write_text(DEB822)
    (machine.apt / "sources.list.d/off.list.disabled").write_text("deb http://off.test/ubuntu stable main")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("debian", "http://upstream.test/debian"),
        ("debian-security", "http://security.test/debian-security"),
        ("third-party", "http://upstream.test/third-party"),
    ],
)
def test_apt_archive_is_the_one_that_ends_in_the_name_of_the_mirror(machine: Machine, name: str, url: str) -> None:
    sources(machine)
    assert discover("apt", name, OWN, machine=machine).url == url


def test_apt_archives_that_do_not_fit_are_named(machine: Machine) -> None:
    sources(machine)
    told = reason("apt", "ubuntu", machine)
    assert told.startswith(
        'apt on this machine has no archive whose path ends in /ubuntu (it has "http://upstream.test/'
    )
    assert "off.test" not in told
    assert "src.test" not in told


def test_apt_itself_is_asked_before_its_files_are_read(machine: Machine) -> None:
    sources(machine)
    install(machine, "apt-get", '[ "$1" = indextargets ] && printf "http://asked.test/x/\\nhttp://asked.test/y/\\n"')
    assert discover("apt", "y", OWN, machine=machine).url == "http://asked.test/y"
    assert discover("apt", "debian", OWN, machine=machine).url == "http://asked.test/x"
    install(machine, "apt-get", "exit 100")
    assert discover("apt", "debian", OWN, machine=machine).url == "http://upstream.test/debian"


def test_apt_archives_without_a_server_are_passed_over_with_the_reason(machine: Machine) -> None:
    lines = "deb cdrom:[Debian]/ stable main\ndeb file:/srv/debian stable main\ndeb mirror+file:/etc/list stable main\n"
    (machine.apt / "sources.list").write_text(lines)
    assert reason("apt", "debian", machine) == (
        "apt on this machine has no archive on http or https, and others cannot be mirrored "
        '(it has "cdrom:[Debian]/", "file:/srv/debian", "mirror+file:/etc/list")'
    )


def test_pip_of_this_machine_answers() -> None:
    assert answer_of(Machine.here()).startswith(("http://", "https://"))
