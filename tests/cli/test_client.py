"""The client of the admin API: where it asks, what it shows, and what it says when that does not succeed."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mirror.cli import main, options
from mirror.client import Client, Server
from mirror.errors import ConfigError, Unanswered
from tests.instruments.tls import certified

TOKEN = "s3cret-t0ken"  # noqa: S105


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MIRROR_SERVER", "MIRROR_ADMIN_TOKEN", "MIRROR_CONFIG", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def asked(tmp_path: Path, config: str = "", **given: str) -> Server:
    if config:
        (tmp_path / "config.toml").write_text(config)
    usual = {"server": "", "token_file": "", "ca_file": "", "config": str(tmp_path / "config.toml")}
    with options.client(argparse.Namespace(**usual | given)) as client:
        return client.server


@pytest.mark.parametrize(
    ("listen", "server"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:80", "http://[::1]:80"),
        ("mirror.example.com:80", "http://mirror.example.com:80"),
        ("unix:/run/mirror", "unix:/run/mirror"),
    ],
)
def test_the_server_is_where_the_configuration_has_it_listen(tmp_path: Path, listen: str, server: str) -> None:
    broken = '\n[mirrors.x]\nauth = "env:NOT_SET"'  # is the server's own affair
    assert str(asked(tmp_path, f'[server]\nlisten = "{listen}"{broken}')) == server


def test_a_named_server_counts_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = f'[admin]\ntoken = "{TOKEN}"'
    assert asked(tmp_path, config).token == TOKEN
    monkeypatch.setenv("MIRROR_SERVER", "http://a.test/")
    assert (str(asked(tmp_path, config)), asked(tmp_path, config).token) == ("http://a.test", "")
    assert str(asked(tmp_path, config, server="https://b.test")) == "https://b.test"
    assert str(asked(tmp_path, config, server="unix:/x")) == "unix:/x"
    with pytest.raises(ConfigError, match="is not a URL"):
        asked(tmp_path, config, server="b.test")


def test_no_server_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give --server URL, or set MIRROR_SERVER"):
        asked(tmp_path)


def test_a_token_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    monkeypatch.setenv("MIRROR_ADMIN_TOKEN", "another")
    server = asked(tmp_path, server="http://a.test")
    assert server.token == os.environ["MIRROR_ADMIN_TOKEN"]
    assert "another" not in repr(server)
    assert asked(tmp_path, server="http://a.test", token_file=str(tmp_path / "token")).token == TOKEN
    with pytest.raises(ConfigError, match="cannot be read"):
        asked(tmp_path, server="http://a.test", token_file=str(tmp_path / "none"))


def told(answer: httpx.Response | Exception, role: str = "operate", token: str = "") -> str:
    def play(request: httpx.Request) -> httpx.Response:
        assert request.headers.get("authorization") == (f"Bearer {token}" if token else None)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with (
        Client(Server("http://mirror.test", token=token), httpx.MockTransport(play)) as client,
        pytest.raises(Unanswered) as error,
    ):
        client.post("/-/api/purge", {}, role)
    return str(error.value)


def test_refusals_say_which_role_is_needed_and_how_to_give_a_token() -> None:
    for status in (401, 403):
        said = told(httpx.Response(status, json={"detail": "not you"}), token=TOKEN)
        assert said.startswith("not you\na token of role operate or more is needed: MIRROR_ADMIN_TOKEN=")
        assert TOKEN not in said
    assert "role admin" in told(httpx.Response(401, json={"detail": "not you"}), role="admin")
    known = told(httpx.Response(403, json={"detail": "this needs the role admin"}), token=TOKEN)
    assert known.startswith("this needs the role admin\nsuch a token: MIRROR_ADMIN_TOKEN=")
    # From this machine only: a token would not help.
    assert told(httpx.Response(403, json={"detail": "from this machine only"})) == "from this machine only"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(400, json={"detail": "urls: is wrong"}), "urls: is wrong"),
        (httpx.Response(404, text="<html>"), "what answers at http://mirror.test (HTTP 404) is no mirror"),
        (httpx.Response(200, text="<html>"), "is no mirror"),
        (httpx.Response(302, headers={"location": "http://x.test/"}), "is no mirror"),
        (httpx.ConnectError("[Errno 111] Connection refused"), "cannot be reached (Connection refused). Is the mirror"),
        (httpx.ConnectTimeout("x"), "cannot be reached (no answer)"),
        (httpx.ReadTimeout("x"), "did not answer within 60 s"),
        (httpx.RemoteProtocolError("illegal status line"), "did not answer as a mirror does (illegal status line)"),
        (
            httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed (_ssl.c:1006)"),
            "its certificate is not trusted (certificate verify failed: self-signed): give its root, --ca-file FILE",
        ),
    ],
)
def test_what_goes_wrong_is_a_sentence(answer: httpx.Response | Exception, said: str) -> None:
    assert said in told(answer)


@pytest.mark.parametrize(("status", "code"), [(400, 2), (422, 2), (401, 1), (404, 1), (500, 1)])
def test_exit_codes(
    status: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = httpx.MockTransport(lambda _: httpx.Response(status, json={"detail": "so it is"}))
    monkeypatch.setattr(options, "client", lambda _: Client(Server("http://mirror.test"), answers))
    assert main(["explain", "/x"]) == code
    assert capsys.readouterr().err.startswith("so it is")


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert main(["stats", "--server", address]) == 1
    assert capsys.readouterr().err.startswith(f"{address} cannot be reached (Connection refused)")
    # In a process of its own: httpcore leaves such a socket to the garbage collector.
    command = [sys.executable, "-m", "mirror", "stats", "--server", "unix:/nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "unix:/nowhere cannot be reached (No such file or directory)" in done.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_configured_certificate_is_trusted_and_no_other(tmp_path: Path) -> None:
    certificate, key = certified(tmp_path, "server")
    config = f'[server]\ntls_cert = "{certificate}"\ntls_key = "{key.name}"\n'
    server = asked(tmp_path, config)
    assert (str(server), server.pinned in certificate.read_text()) == ("https://127.0.0.1:8000", True)
    assert asked(tmp_path, config, ca_file=str(certificate)).pinned == ""
