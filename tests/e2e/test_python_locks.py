"""What was locked through a real mirror is installed again by an empty one, and the lock file stays as it is."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.e2e.python_clients import UV, Client, pip, poetry, poetry_project, tree, uv_project, versions
from tests.e2e.python_mirror import Mirror
from tests.instruments.python_packages import INSTALLED

pytestmark = pytest.mark.timeout(300)
both = pytest.mark.parametrize("kind", ["real", "poor"])


@pytest.fixture
def client(tmp_path: Path, python_mirror: Mirror) -> Client:
    return Client(tmp_path, python_mirror.server.url("/pypi/simple/"))


def files_of(lock: str, mirror: Mirror) -> set[str]:
    """The files of the mirror that a lock file names, by the end of their addresses."""
    return set(re.findall(re.escape(mirror.server.url("/pypi/files")) + r'(/packages/[^"]+)', lock))


def known(mirror: Mirror) -> dict[str, str]:
    """Name -> digest of the files that are to be installed."""
    files = [file for name in INSTALLED for file in mirror.index.projects[name].files]
    return {file.name: file.sha256 for file in files if file.version == INSTALLED[project_of(file.name)]}


def project_of(file: str) -> str:
    return file.rsplit("-", 1 if file.endswith(".tar.gz") else 4)[0].replace("_", "-")


@both
def test_uv_lock(python_mirror: Mirror, client: Client) -> None:
    project = uv_project(client)
    client.run(UV, "lock", "-q", "--no-cache", cwd=project)
    lock = (project / "uv.lock").read_text()
    for name, digest in known(python_mirror).items():
        assert f"sha256:{digest}" in lock, name
    assert len(files_of(lock, python_mirror)) >= len(INSTALLED)
    python_mirror.emptied()
    client.run(UV, "sync", "-q", "--no-cache", "--frozen", "--python", sys.executable, cwd=project)
    environment = next((project / ".venv/lib").glob("python*/site-packages"))
    assert versions(tree(environment)) == INSTALLED
    python_mirror.emptied()
    client.run(UV, "lock", "-q", "--no-cache", "--check", cwd=project)
    client.run(UV, "lock", "-q", "--no-cache", "--upgrade", cwd=project)
    assert (project / "uv.lock").read_text() == lock


@pytest.mark.live
@pytest.mark.parametrize("kind", ["real"])
def test_poetry_lock(python_mirror: Mirror, client: Client, poetry_python: str) -> None:
    project = poetry_project(client)
    client.env["POETRY_CACHE_DIR"] = str(client.fresh())
    client.run(poetry_python, "-m", "poetry", "lock", "-q", cwd=project)
    lock = (project / "poetry.lock").read_text()
    for name, digest in known(python_mirror).items():
        assert f'{{file = "{name}", hash = "sha256:{digest}"}}' in lock
    python_mirror.emptied()
    assert versions(poetry(client, poetry_python, project)) == INSTALLED
    client.env["POETRY_CACHE_DIR"] = str(client.fresh())
    client.run(poetry_python, "-m", "poetry", "lock", "-q", "--regenerate", cwd=project)
    assert (project / "poetry.lock").read_text() == lock


@pytest.mark.live
@pytest.mark.parametrize("kind", ["real"])
def test_hashes_that_pip_requires(python_mirror: Mirror, client: Client, newest_pip: str) -> None:
    report, required = client.fresh() / "report.json", client.fresh() / "requirements.txt"
    options = ("-q", "--no-cache-dir", "--ignore-installed", "--index-url", client.index)
    client.run(newest_pip, "-m", "pip", "install", *options, "--dry-run", "--report", str(report), "app")
    found = {item["metadata"]["name"]: item for item in json.loads(report.read_text())["install"]}
    hashes = {name: item["download_info"]["archive_info"]["hashes"]["sha256"] for name, item in found.items()}
    assert set(hashes.values()) == set(known(python_mirror).values())
    lines = [f"{name}=={item['metadata']['version']} --hash=sha256:{hashes[name]}" for name, item in found.items()]
    required.write_text("\n".join(lines))
    python_mirror.emptied()
    python_mirror.index.forget()
    assert versions(pip(client, newest_pip, more=("--require-hashes", "-r", str(required)))) == INSTALLED
    assert all(len(python_mirror.index.gets(path)) <= 1 for path in {record.path for record in python_mirror.index.log})


@both
def test_files_that_a_lock_names_come_from_a_mirror_that_has_seen_no_page(python_mirror: Mirror) -> None:
    links = [link for name in INSTALLED for link in python_mirror.links(name)]
    python_mirror.emptied()
    for link in links:
        files = python_mirror.index.projects[project_of(link.name)].files
        assert python_mirror.ask(link.path).body == next(file.body for file in files if file.name == link.name)
