"""The configuration is read again while the server runs, with one process and with several: no request fails."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.instruments.clock import until
from tests.instruments.load import load
from tests.instruments.owners import Kept
from tests.instruments.process import Abroad, origin_process
from tests.instruments.server import Served, served
from tests.instruments.tls import certified

FRESH = "cc=max-age=86400"
HOT = f"/o/obj/hot/1000?{FRESH}"
WANTED = [(HOT, 1000)] * 5 + [(f"/o/obj/n{{n}}/2000?{FRESH}", 2000), (f"/o/obj/large/300000?{FRESH}", 300_000)]
MB = 1_000_000


class Configured:
    """A server and its configuration, which can be written again."""

    def __init__(self, server: Served, upstream: str) -> None:
        self.server = server
        self.upstream = upstream
        self._before = (server.folder / "config.toml").read_text().split("[cache]")[0]

    def write(self, mirrors: str, top: str = "", server: str = "") -> None:
        text = f'{server or self._before}\n[cache]\nmin_free = "1MB"\n{top}\n'
        text += self.mirror("o") + mirrors
        (self.server.folder / "config.toml").write_text(text)

    def mirror(self, name: str, more: str = "") -> str:
        return f'[mirrors.{name}]\necosystem = "http"\nupstream = "{self.upstream}"\n{more}\n'

    def hang_up(self) -> None:
        """SIGHUP, and wait until it was attended to."""
        before = self.stats()["config"]
        self.server.signal(signal.SIGHUP)
        until(lambda: self.stats()["config"] != before)

    def stats(self) -> Any:
        return self.ask("GET", "/-/api/stats")[1]

    def reload(self, **fields: str) -> tuple[int, Any]:
        return self.ask("POST", "/-/api/reload", **fields)

    def ask(self, method: str, target: str, **fields: str) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            connection.request(method, target, headers=fields)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if "json" in answer.getheader("content-type", "") else body
        finally:
            connection.close()


@pytest.fixture(scope="module")
def origin() -> Iterator[Abroad]:
    with origin_process() as running:
        yield running


@pytest.fixture(params=[1, 3], ids=["one process", "three"])
def configured(request: pytest.FixtureRequest, tmp_path: Path, origin: Abroad) -> Iterator[Configured]:
    upstream = origin.address
    text = '[cache]\nmin_free = "1MB"\n'
    for name in ("o", "gone"):
        text += f'[mirrors.{name}]\necosystem = "http"\nupstream = "{upstream}"\n'
    text += f'[mirrors.timed]\necosystem = "http"\nupstream = "{upstream}"\nttl = "1d"\n'
    with served(tmp_path / "mirror", text, workers=request.param) as server:
        yield Configured(server, upstream)


def lifetime(kept: Kept) -> int:
    """For how many seconds more a hit is fresh."""
    answer = kept.answer("/timed/obj/t/1000")
    assert len(answer.read()) == 1000
    assert answer.getheader("x-cache") == "HIT"
    return int((answer.getheader("cache-status") or "").partition("ttl=")[2])


class TestByASignal:
    def test_a_bad_file_keeps_the_old_one_and_the_log_and_the_stats_say_why(self, configured: Configured) -> None:
        began = configured.stats()["config"]
        assert began["error"] is None
        with load(configured.server.port, WANTED) as asking:
            asking.some()
            configured.write("[mirrors.new]\necosystem = 'http'\nupstream = 7\nttk = '1d'\n")
            configured.hang_up()
            asking.some()
        told = configured.stats()["config"]
        assert "7 is not text in quotes" in told["error"]
        assert "ttk: unknown key" in told["error"]
        assert told["loaded_at"] == began["loaded_at"]
        assert told["error"].splitlines()[0] in configured.server.log()
        assert configured.ask("GET", f"/gone/obj/g/10?{FRESH}")[0] == 200
        configured.write(configured.mirror("new"))
        configured.hang_up()
        assert configured.stats()["config"]["error"] is None
        assert configured.stats()["config"]["loaded_at"] > began["loaded_at"]

    def test_a_good_file_is_in_force_for_the_next_request_on_every_connection(self, configured: Configured) -> None:
        port = configured.server.port
        kept = [Kept(port) for _ in range(9)]
        for _ in range(3):  # prepared, in each process
            assert {len(each.ask("/timed/obj/t/1000")[1]) for each in kept} == {1000}
        assert {lifetime(each) // 86400 for each in kept} == {0}
        with load(port, WANTED) as asking:
            asking.some()
            configured.write(
                configured.mirror("new") + configured.mirror("timed", 'ttl = "7d"'), '[upstream]\nhead_timeout = "9s"\n'
            )
            configured.hang_up()
            for each in kept:
                assert lifetime(each) // 86400 == 6
                assert each.answer("/gone/obj/g/10").read().startswith(b"{")
                assert len(each.ask(f"/new/obj/m/10?{FRESH}")[1]) == 10
            asking.some()
        assert configured.ask("GET", f"/gone/obj/g/10?{FRESH}")[0] == 404
        line = next(line for line in configured.server.log().splitlines() if "read again; changed:" in line)
        assert line.endswith("upstream.head_timeout, mirrors.gone, mirrors.timed.ttl, mirrors.new")
        for each in kept:
            each.__exit__()

    def test_many_signals_at_once_are_attended_to_and_the_last_file_counts(self, configured: Configured) -> None:
        with load(configured.server.port, WANTED, 2) as asking:
            for number in range(20):
                configured.write(configured.mirror(f"m{number}"))
                configured.server.signal(signal.SIGHUP)
            until(lambda: "m19" in configured.stats()["mirrors"])
            asking.some(20)


class TestByTheApi:
    def test_it_says_what_has_changed_and_what_waits_for_a_restart(self, configured: Configured) -> None:
        server = '[server]\nlisten = "127.0.0.1:1"\nworkers = 2\ndrain = "9s"\n'
        configured.write(configured.mirror("new"), 'path = "elsewhere"\nmax_size = "1GB"\n', server)
        status, told = configured.reload()
        assert status == 200
        assert told == {
            "reloaded": True,
            "changed": ["server.drain", "cache.max_size", "mirrors.gone", "mirrors.timed", "mirrors.new"],
            "restart": ["server.listen", "server.workers", "cache.path"],
        }
        assert "only a restart puts in force: server.listen, server.workers, cache.path" in configured.server.log()
        assert configured.ask("GET", f"/new/obj/g/10?{FRESH}")[0] == 200
        assert configured.reload()[1] == {**told, "changed": []}
        assert not (configured.server.folder / "elsewhere").exists()

    def test_a_bad_file_is_a_conflict_that_says_why(self, configured: Configured) -> None:
        configured.write("[mirrors.new]\necosystem = 'http'\n")
        status, told = configured.reload()
        assert status == 409
        assert "an http mirror needs a URL" in told["detail"]
        assert configured.stats()["config"]["error"] == told["detail"]

    def test_who_may_not_is_refused_and_a_token_counts_from_then_on(self, configured: Configured) -> None:
        assert configured.reload(Origin="http://elsewhere.example.com")[0] == 403
        assert configured.reload(Host="elsewhere.example.com")[0] == 403
        configured.write("", '[admin]\ntoken = "a secret that is long enough"\n')
        assert configured.reload() == (200, {"reloaded": True, "changed": ["admin.token", *_GONE], "restart": []})
        assert configured.reload()[0] == 401
        assert configured.reload(Authorization="Bearer wrong")[0] == 401
        assert configured.reload(Authorization="Bearer a secret that is long enough")[0] == 200
        assert "a secret" not in configured.server.log()


_GONE = ("mirrors.gone", "mirrors.timed")


def test_a_download_that_runs_arrives_whole_though_its_mirror_goes(configured: Configured) -> None:
    kept = Kept(configured.server.port)
    answer = kept.answer(f"/gone/obj/slow/5000000?{FRESH}&rate=1000000")
    got = answer.read(MB)
    configured.write("", '[upstream]\nconnect_timeout = "3s"\nretries = 1\n')
    assert configured.reload()[0] == 200
    assert configured.ask("GET", f"/gone/obj/slow/5000000?{FRESH}&rate=1000000")[0] == 404
    assert len(got + answer.read()) == 5 * MB
    assert kept.answer(f"/gone/obj/slow/5000000?{FRESH}").status == 404
    kept.__exit__()
    assert "ERROR" not in configured.server.log()


def test_a_mirror_that_comes_back_finds_its_bytes_and_its_counts(configured: Configured) -> None:
    target = f"/gone/obj/back/1000?{FRESH}"
    assert configured.ask("GET", target)[0] == 200
    until(lambda: configured.stats()["totals"]["requests"]["MISS"] == 1)  # counted when it has ended
    configured.write(configured.mirror("another"))
    assert configured.reload()[0] == 200
    assert "gone" not in configured.stats()["mirrors"]
    assert configured.stats()["totals"]["requests"]["MISS"] == 1
    configured.write(configured.mirror("another") + configured.mirror("gone"))
    assert configured.reload()[0] == 200
    with Kept(configured.server.port) as kept:
        assert kept.ask(target)[0] == "HIT"
    requests = configured.stats()["mirrors"]["gone"]["requests"]
    assert (requests["MISS"], requests["HIT"]) == (1, 1)
    assert sum(configured.stats()["mirrors"]["another"]["requests"].values()) == 0


@pytest.mark.parametrize("configured", [3], indirect=True)
@pytest.mark.parametrize("place", [0, 1], ids=["the one that downloads", "another"])
def test_a_process_that_takes_the_place_of_another_has_the_configuration_of_now(
    configured: Configured, place: int
) -> None:
    configured.write(configured.mirror("new"))
    configured.hang_up()
    configured.write("nonsense")
    configured.hang_up()
    victim = configured.server.workers()[place]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in configured.server.workers() and len(configured.server.workers()) == 3)
    kept = [Kept(configured.server.port) for _ in range(12)]
    assert {len(each.ask(f"/new/obj/n/10?{FRESH}")[1]) for each in kept} == {10}
    assert {each.answer("/gone/obj/g/10").read()[:1] for each in kept} == {b"{"}
    for each in kept:
        each.__exit__()


@pytest.mark.parametrize("configured", [3], indirect=True)
def test_who_is_told_by_its_own_id_does_not_end_of_it(configured: Configured) -> None:
    before = configured.server.workers()
    configured.write(configured.mirror("new"))
    for pid in before:
        os.kill(pid, signal.SIGHUP)
    until(lambda: "new" in configured.stats()["mirrors"])
    assert configured.server.workers() == before


def rsa(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "rsa.pem", folder / "rsa.key"
    names = ("-subj", "/CN=renewed", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    made = ("-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate))
    subprocess.run(["openssl", "req", "-x509", *made, *names], check=True, capture_output=True)
    return certificate, key


def shown(port: int, name: str | None = "localhost") -> bytes | None:
    """The certificate that a new connection gets, which may ask for no name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        assert connection.version() == "TLSv1.3"
        return connection.getpeercert(True)


def test_a_renewed_certificate_is_shown_to_new_connections_and_the_others_stay(tmp_path: Path, origin: Abroad) -> None:
    certificate, key = certified(tmp_path, "here")
    mirror = f'[mirrors.o]\necosystem = "http"\nupstream = "{origin.address}"\n'
    text = f'tls_cert = "{certificate}"\ntls_key = "{key}"\n{mirror}'
    with served(tmp_path / "mirror", text, 1, certificate) as server:
        old, first = server.connect(), shown(server.port)
        old.request("GET", HOT)
        assert len(old.getresponse().read()) == 1000
        renewed = rsa(tmp_path)
        for there, new in zip((certificate, key), renewed, strict=True):
            there.write_bytes(new.read_bytes())
        server.signal(signal.SIGHUP)
        until(lambda: shown(server.port) != first)
        assert shown(server.port) == ssl.PEM_cert_to_DER_cert(renewed[0].read_text())
        assert shown(server.port, None) == shown(server.port)
        key.write_text("no key")
        server.signal(signal.SIGHUP)
        until(lambda: "stays as it was" in server.log())
        assert shown(server.port) == ssl.PEM_cert_to_DER_cert(renewed[0].read_text())
        old.request("GET", HOT)
        assert len(old.getresponse().read()) == 1000
        old.close()


def test_a_signal_before_it_serves_ends_nobody(tmp_path: Path, origin: Abroad) -> None:
    mirror = f'[mirrors.o]\necosystem = "http"\nupstream = "{origin.address}"\n'
    for workers in (1, 2):
        server = Served(tmp_path / str(workers), mirror, workers)
        starting = threading.Thread(target=server.start)
        starting.start()
        try:
            until(lambda server=server: "mirror at" in (server.log() if (server.folder / "log").exists() else ""))
            for _ in range(50):
                server.signal(signal.SIGHUP)
                time.sleep(0.005)  # while it starts
        finally:
            starting.join()
            code = server.stop()
        assert code == 0
