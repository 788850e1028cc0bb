"""pip in two ages, uv and Poetry install a world of packages through a real mirror: cold, warm, with the index down."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.python_clients import UV, Client, Tree, pip, poetry, poetry_project, uv, versions
from tests.e2e.python_mirror import Mirror, mirrored
from tests.instruments.python_packages import INSTALLED, File

pytestmark = pytest.mark.timeout(300)
both = pytest.mark.parametrize("kind", ["real", "poor"])
live = pytest.mark.live  # the newest pip, and Poetry, are fetched
NEWEST = pytest.param("newest pip", marks=live)
Install = Callable[..., Tree]


@pytest.fixture
def client(tmp_path: Path, python_mirror: Mirror) -> Client:
    """Set to a mirror that has nothing."""
    python_mirror.purge()
    python_mirror.index.forget()
    return Client(tmp_path, python_mirror.server.url("/pypi/simple/"))


@pytest.fixture
def install(request: pytest.FixtureRequest, client: Client, tool: str) -> Install:
    """Installs what it is told, with the tool that the test's parameter names."""
    if tool == "uv":
        return partial(uv, client)
    return partial(pip, client, sys.executable if tool == "pip" else request.getfixturevalue("newest_pip"))


def installed(mirror: Mirror) -> list[File]:
    return [
        file
        for name, version in INSTALLED.items()
        for file in mirror.index.projects[name].files
        if file.version == version
    ]


def fetched_once(mirror: Mirror) -> None:
    """Pages may be asked whether they have changed: old pips always want to know."""
    for file in installed(mirror):
        assert len(mirror.index.gets(file.path)) == 1, file.name
        assert len(mirror.index.gets(f"{file.path}.metadata")) <= 1
    for name in INSTALLED:
        assert sum(record.status == 200 for record in mirror.index.gets(f"/simple/{name}/")) == 1


def same_until_the_index_is_down(mirror: Mirror, run: Callable[[], Tree]) -> None:
    """Cold, warm, and at last with nothing upstream though all pages are due."""
    cold, warm = run(), run()
    assert versions(cold) == INSTALLED
    fetched_once(mirror)
    mirror.expire(*(f"/pypi/simple/{name}/" for name in INSTALLED))
    mirror.index.down()
    try:
        assert cold == warm == run()
    finally:
        mirror.index.up()


@pytest.mark.parametrize(
    ("tool", "kind"),
    [
        ("pip", "real"),
        ("uv", "real"),
        ("uv", "poor"),
        pytest.param("newest pip", "real", marks=live),
        pytest.param("newest pip", "poor", marks=live),
    ],
)
def test_installs_are_the_same_cold_warm_and_down(python_mirror: Mirror, install: Install) -> None:
    same_until_the_index_is_down(python_mirror, lambda: install("app"))


@live
@pytest.mark.parametrize("kind", ["real"])
def test_poetry_installs_the_same_cold_warm_and_down(python_mirror: Mirror, client: Client, poetry_python: str) -> None:
    def run() -> Tree:
        return poetry(client, poetry_python, project)

    project = poetry_project(client)
    same_until_the_index_is_down(python_mirror, run)


@pytest.mark.parametrize("kind", ["poor"])
@pytest.mark.parametrize("tool", [NEWEST, "uv"])
def test_what_is_yanked_is_installed_where_it_is_pinned(python_mirror: Mirror, install: Install) -> None:
    assert versions(install("lib-core==2.0", more=("--no-deps",))) == {"lib-core": "2.0"}


@pytest.mark.parametrize("kind", ["poor"])
@pytest.mark.parametrize("tool", ["pip", NEWEST, "uv"])
def test_metadata_is_read_out_of_parts_of_a_wheel(python_mirror: Mirror, install: Install, tool: str) -> None:
    """Where the index announces no metadata file; then the mirror asks a poor host, which has no parts, once."""
    before = len(python_mirror.server.log())
    more = () if tool == "uv" else ("--use-feature=fast-deps",)
    assert versions(install("app", more=more)) == INSTALLED
    lines = python_mirror.server.answered("/speed-", before, least=2)
    assert any('"HEAD ' in line and '" 200 ' in line for line in lines)
    assert any('"GET ' in line and '" 206 ' in line for line in lines)
    fetched_once(python_mirror)


@pytest.mark.parametrize("kind", ["real"])
@pytest.mark.parametrize("tool", ["uv"])
def test_uv_leaves_out_what_is_newer_than_a_date(python_mirror: Mirror, install: Install) -> None:
    assert versions(install("app", more=("--exclude-newer", "2024-03-01"))) == INSTALLED


@pytest.mark.parametrize("kind", ["real"])
@pytest.mark.parametrize("tool", [NEWEST])
def test_pip_leaves_out_what_is_newer_than_a_date(python_mirror: Mirror, install: Install) -> None:
    assert versions(install("app", more=("--uploaded-prior-to", "2024-03-01"))) == INSTALLED


@both
def test_a_refusal_of_uv_says_what_is_missing(python_mirror: Mirror, client: Client) -> None:
    code, said = client.tried(
        *(UV, "pip", "install", "--no-cache", "--target", str(client.fresh()), "--default-index", client.index),
        "no-such-project-anywhere",
    )
    assert (code != 0, "was not found in the package registry" in said) == (True, True)


@pytest.mark.row(10, at="pip goes on where it was cut, uv begins again")
@pytest.mark.parametrize("kind", ["real"])
@pytest.mark.parametrize("tool", [NEWEST, "uv"])
def test_a_client_asks_once_more_where_a_file_broke_off(python_mirror: Mirror, install: Install) -> None:
    """This mirror does not try again itself; pip goes on from where it is, uv begins anew."""
    file = python_mirror.index.projects["speed"].files[0]
    struck = python_mirror.index.fault(file.path, "cut", times=1)
    assert versions(install("speed")) == {"speed": INSTALLED["speed"]}
    assert struck.is_set()
    assert python_mirror.ask(python_mirror.place(file)).body == file.body


FAULTS = {"app": "cut", "lib-core": "closed", "tool": "500", "speed": "cut soon", "source-only": "cut without length"}


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Mirror]]:
    """Mirrors that try again."""
    folder = tmp_path_factory.mktemp("patient")
    with mirrored(folder / "r", "real", retries=4) as real, mirrored(folder / "p", "poor", retries=4) as poor:
        yield {"real": real, "poor": poor}


@both
@pytest.mark.parametrize("tool", [NEWEST, "uv"])
def test_a_client_gets_all_though_everything_fails_once(
    request: pytest.FixtureRequest, patient: dict[str, Mirror], tmp_path: Path, kind: str, tool: str
) -> None:
    mirror = patient[kind]
    mirror.purge()
    for file in installed(mirror):
        name = next(name for name in INSTALLED if file in mirror.index.projects[name].files)
        mirror.index.fault(file.path, FAULTS[name], times=1)
        mirror.index.fault(f"/simple/{name}/", "closed", times=1)
    client = Client(tmp_path, mirror.server.url("/pypi/simple/"))
    one = uv(client, "app") if tool == "uv" else pip(client, request.getfixturevalue("newest_pip"), "app")
    assert versions(one) == INSTALLED
    for file in installed(mirror):
        assert mirror.ask(mirror.place(file)).body == file.body
