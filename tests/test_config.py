"""config.toml becomes a frozen Config, or a list of everything that is wrong with it."""

from __future__ import annotations

import dataclasses
import threading
from math import inf
from pathlib import Path

import pytest

from mirror import certificate
from mirror.clients import Discovered
from mirror.config import AdminSettings, CacheSettings, Config, ServerSettings, UpstreamSettings, load
from mirror.errors import ConfigError, Unavailable
from mirror.model import Mirror
from mirror.reach import Reach
from mirror.settings import AuditSettings, LogSettings
from mirror.values import Address
from tests.instruments.tls import certified

OUTSIDE = Reach(private=False)
MIRROR = '[mirrors.pypi]\necosystem = "pypi"\nupstream = "http://upstream.test/"\n'


def found(ecosystem: str, name: str, own: frozenset[str]) -> Discovered:
    return Discovered(f"http://{name}.test/{ecosystem}")


def nothing(ecosystem: str, name: str, own: frozenset[str]) -> Discovered:
    raise AssertionError("no client is asked here")


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load(path, discover=nothing)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    return [problem.removeprefix(f"{tmp_path}/") for problem in error.value.problems]


def test_one_mirror_is_enough_and_the_rest_is_default(tmp_path: Path) -> None:
    config = read(tmp_path, MIRROR)
    assert config == Config(
        server=ServerSettings(Address("127.0.0.1", 8000), 1, "", (), 30.0),
        cache=CacheSettings(tmp_path / "cache", 50 * 10**9, 10**9, 20 * 10**9, "full"),
        admin=AdminSettings(""),
        upstream=UpstreamSettings(5.0, 30.0, 1000.0, 4, 100, "", None),
        mirrors=(
            Mirror("pypi", "pypi", ("http://upstream.test/simple",), 600.0, 86400.0, 30 * 86400.0, reach=OUTSIDE),
        ),
        path=tmp_path / "config.toml",
    )


def test_the_file_that_comes_along_says_exactly_the_defaults(tmp_path: Path) -> None:
    path = Path(__file__).parents[1] / "config.toml"
    config = load(path, discover=found)
    bare = read(tmp_path, MIRROR)
    assert (config.server, config.admin, config.upstream) == (bare.server, bare.admin, bare.upstream)
    assert config.log == bare.log == LogSettings()
    assert config.audit == bare.audit == AuditSettings()
    assert config.cache == dataclasses.replace(bare.cache, path=path.parent / "cache")
    assert [(mirror.name, mirror.ecosystem, mirror.ttl) for mirror in config.mirrors] == [
        ("pypi", "pypi", 600.0),
        ("npm", "npm", 300.0),
        ("debian", "apt", 120.0),
        ("debian-security", "apt", 120.0),
        ("get", "any", None),
    ]
    auto = dataclasses.replace(bare.mirrors[0], upstreams=("http://pypi.test/pypi",), reach=Reach())
    assert config.mirrors[0] == auto
    assert config.mirrors[-1].reach == Reach((), private=False)


def test_every_key_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRROR_TEST_TOKEN", "swordfish")
    (tmp_path / "ca.pem").touch()
    config = read(
        tmp_path,
        """
        [server]
        listen = "unix:run/sock"
        public_url = "https://Mirror.TEST/"
        hosts = ["Mirror.TEST", "mirror.test:8000"]
        workers = 1
        drain = "0s"
        [cache]
        path = "/var/cache/mirror"
        max_size = "2GiB"
        min_free = 0
        max_object = 5_000
        durability = "none"
        [admin]
        token = "env:MIRROR_TEST_TOKEN"
        [upstream]
        connect_timeout = "0.5s"
        head_timeout = "1m"
        min_rate = "2KB"
        retries = 0
        max_connections = 7
        proxy = "http://me:swordfish@proxy.test:3128"
        ca_file = "ca.pem"
        [mirrors.a-1]
        ecosystem = "apt"
        upstream = ["http://one.test/debian/", "https://two.test/debian"]
        ttl = "0s"
        grace = "1m"
        keep = "1h"
        offline = true
        complete_ranges = false
        auth = "bearer env:MIRROR_TEST_TOKEN"
        """,
    )
    assert config.server == ServerSettings(
        Address(path=tmp_path / "run/sock"), 1, "https://mirror.test", ("mirror.test", "mirror.test:8000"), 0.0
    )
    assert config.cache == CacheSettings(Path("/var/cache/mirror"), 2 * 2**30, 0, 5000, "none")
    assert config.admin == AdminSettings("swordfish")
    proxy = "http://me:swordfish@proxy.test:3128"
    assert config.upstream == UpstreamSettings(0.5, 60.0, 2000.0, 0, 7, proxy, tmp_path / "ca.pem")
    upstreams = ("http://one.test/debian", "https://two.test/debian")
    auth = ("authorization", "Bearer swordfish")
    assert config.mirrors == (Mirror("a-1", "apt", upstreams, 0.0, 60.0, 3600.0, True, False, auth, reach=OUTSIDE),)
    assert "swordfish" not in repr(config)


def test_the_record_is_in_the_caches_path_unless_told_otherwise(tmp_path: Path) -> None:
    config = read(tmp_path, MIRROR)
    assert (config.audit.enabled, config.record) == (False, tmp_path / "cache" / "audit")
    table = '[audit]\nenabled = true\npath = "record"\nmax_file = "1MB"\nkeep = ""\n'
    config = read(tmp_path, table + MIRROR)
    assert config.audit == AuditSettings(True, tmp_path / "record", 10**6, inf)
    assert config.record == tmp_path / "record"
    assert problems(tmp_path, f'[audit]\nkeep = "0s"\n{MIRROR}')


def test_http_mirror_obeys_its_origin_unless_told_otherwise(tmp_path: Path) -> None:
    table = '[mirrors.get]\necosystem = "http"\nupstream = "http://upstream.test/pub/"\n'
    (mirror,) = read(tmp_path, table).mirrors
    assert mirror == Mirror("get", "http", ("http://upstream.test/pub",), None, 0.0, client_auth=True, reach=OUTSIDE)
    (mirror,) = read(tmp_path, table + 'ttl = "1h"\nkeep = "1d"').mirrors
    assert (mirror.ttl, mirror.grace, mirror.keep) == (3600.0, 0.0, 86400.0)


def test_where_requests_may_lead(tmp_path: Path) -> None:
    def reach(text: str) -> Reach:
        return read(tmp_path, f"[mirrors.a]\n{text}").mirrors[0].reach

    named = 'ecosystem = "http"\nupstream = "http://upstream.test/pub"'
    literal = 'ecosystem = "http"\nupstream = ["http://127.0.0.1:8080/x", "http://[::1]/x", "http://upstream.test"]'
    assert reach(named) == OUTSIDE
    assert reach(f"{named}\nallow_private = true") == Reach()
    trusted = frozenset({("http", "127.0.0.1:8080"), ("http", "[::1]")})
    assert reach(literal) == Reach(private=False, trusted=trusted)
    assert reach('ecosystem = "any"\nallow = ["*.Example.com"]') == Reach(("*.example.com",), private=False)


BAD = [
    (
        '[server]\nlisten = "8000"',
        '2: [server] listen: "8000" is not an address (write HOST:PORT, [::1]:PORT or unix:PATH)',
    ),
    ("[server]\nworkers = 0", "2: [server] workers: 0 is not a whole number from 1 to 64"),
    ('[server]\nhosts = "a.test"', '2: [server] hosts: "a.test" is not a list (write ["mirror.example.com"])'),
    (
        '[server]\nhosts = ["http://a"]',
        '2: [server] hosts: "http://a" is not a host (write mirror.example.com or mirror.example.com:8000)',
    ),
    ("[server]\ndrain = 30", "2: [server] drain: 30 is not a duration (write 30s, 10m, 12h, 7d)"),
    ('[server]\nlistn = ""', "2: [server] listn: unknown key (did you mean listen?)"),
    ('[server]\ntls_key = "none.pem"', '2: [server] tls_key: "none.pem": no such file'),
    ('[server]\ntls_key = "config.toml"', "2: [server] tls_key: there is no tls_cert"),
    ('[server]\ntls_cert = "config.toml"', '2: [server] tls_cert: "config.toml" holds no certificate (PEM)'),
    ("[servers]\na = 1", "1: [servers]: unknown table (did you mean [server]?)"),
    ("[zzz]", "1: [zzz]: unknown table"),
    ("[[server]]", "1: [server]: not a table (write [server])"),
    ('[cache]\npath = ""', '2: [cache] path: "" is not a path'),
    ('[cache]\nmax_size = "0GB"', '2: [cache] max_size: "0GB" must be more than 0'),
    ("[cache]\nmin_free = -1", "2: [cache] min_free: -1 is not a size (write 500MB, 50GB, 2GiB, or a number of bytes)"),
    ('[cache]\ndurability = "ful"', '2: [cache] durability: "ful" is not one of full, data, none'),
    ("[admin]\npaeg = true", "2: [admin] paeg: unknown key (did you mean page?)"),
    ('[admin]\ntoken = "env:MIRROR_TEST_NONE"', "2: [admin] token: environment variable MIRROR_TEST_NONE is not set"),
    ('[upstream]\nconnect_timeout = "0s"', '2: [upstream] connect_timeout: "0s" must be more than 0'),
    ("[upstream]\nretries = 1.5", "2: [upstream] retries: 1.5 is not a whole number from 0 to 100"),
    ("[upstream]\nmax_connections = true", "2: [upstream] max_connections: true is not a whole number from 1 to 10000"),
    ('[upstream]\nproxy = "me:swordfish"', "2: [upstream] proxy: not the URL of a proxy (write http://HOST:PORT)"),
    ('[upstream]\nca_file = "none.pem"', '2: [upstream] ca_file: "none.pem": no such file'),
    ('[mirrors.a]\necosystem = "all"', '2: [mirrors.a] ecosystem: "all" is not one of http, any, pypi, npm, apt'),
    (
        '[mirrors.a]\necosystem = "any"\nupstream = "http://upstream.test"',
        "3: [mirrors.a] upstream: an any mirror has no upstream (write the hosts into `allow`)",
    ),
    (
        '[mirrors.a]\necosystem = "any"\nallow = ["https://x.test"]',
        '3: [mirrors.a] allow: "https://x.test" is not a pattern of hosts '
        "(write *.example.com or name.example.com:8443)",
    ),
    (
        '[mirrors.a]\necosystem = "npm"\nupstream = "http://upstream.test"\nallow = []',
        "4: [mirrors.a] allow: only any mirrors have it",
    ),
    (
        '[mirrors.a]\necosystem = "npm"\nupstream = "http://upstream.test"\nredirects = "pass"',
        "4: [mirrors.a] redirects: only http mirrors have it",
    ),
    (
        '[mirrors.a]\necosystem = "npm"\nupstream = "http://upstream.test"\nkeyring = ""',
        "4: [mirrors.a] keyring: only apt mirrors have it",
    ),
    ('[mirrors.a]\necosystem = "any"\nmax_size = "0B"', '3: [mirrors.a] max_size: "0B" must be more than 0'),
    ('[mirrors.a]\necosystem = "apt"\nkeyring = "none.gpg"', '3: [mirrors.a] keyring: "none.gpg": no such file'),
    ("[mirrors.a]\nttl = '1s'", "1: [mirrors.a] ecosystem: missing (one of http, any, pypi, npm, apt)"),
    ('[mirrors.a]\necosystem = "http"', "1: [mirrors.a] upstream: an http mirror needs a URL"),
    ('[mirrors.a]\necosystem = "http"\nupstream = "auto"', "3: [mirrors.a] upstream: an http mirror needs a URL"),
    (
        '[mirrors.a]\necosystem = "npm"\nupstream = []',
        '3: [mirrors.a] upstream: write a URL, a list of URLs, or "auto" alone',
    ),
    (
        '[mirrors.a]\necosystem = "npm"\nupstream = "https://me:swordfish@upstream.test"',
        "3: [mirrors.a] upstream: credentials do not belong into a URL (use `auth`)",
    ),
    ('[mirrors.a]\necosystem = "npm"\noffline = "no"', '3: [mirrors.a] offline: "no" is neither true nor false'),
    (
        '[mirrors.a]\necosystem = "npm"\nauth = "bearer"',
        '3: [mirrors.a] auth: write "bearer env:X", "basic env:USER env:PASS" or "header NAME env:X"',
    ),
    ('[mirrors.-]\necosystem = "npm"', "1: [mirrors.-]: not a name for a mirror (a-z, 0-9 and -, no - in front)"),
    ('[mirrors]\na = "http://upstream.test"', "2: [mirrors.a]: not a table (write [mirrors.a])"),
]


@pytest.mark.row(40, at="mistakes in the configuration, each with its line and key")
@pytest.mark.parametrize(("text", "problem"), BAD)
def test_each_mistake_is_named_with_its_line_and_key(
    tmp_path: Path, text: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red: a key that there is not is passed over."""
    monkeypatch.delenv("MIRROR_TEST_NONE", raising=False)
    assert problems(tmp_path, f"{text}\n{MIRROR}") == [f"config.toml:{problem}"]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "listen = 1\n" + "\n".join(
        "\n".join([table, *(bad.partition("\n")[2] for bad, _ in BAD if bad.startswith(table))])
        for table in ("[cache]", "[upstream]")
    )
    told = problems(tmp_path, text)
    assert told[0] == "config.toml: [mirrors]: no mirrors (write at least one table [mirrors.NAME])"
    assert told[1] == "config.toml:1: listen: unknown key (keys stand below a table, such as [server])"
    assert [int(line.split(":")[1]) for line in told[1:]] == [1, 3, 4, 5, 6, 8, 9, 10, 11, 12]


def test_no_mirrors_is_a_problem(tmp_path: Path) -> None:
    told = "[mirrors]: no mirrors (write at least one table [mirrors.NAME])"
    assert problems(tmp_path, "") == [f"config.toml: {told}"]
    assert problems(tmp_path, "[mirrors]") == [f"config.toml:1: {told}"]
    assert problems(tmp_path, "mirrors = 3") == [f"config.toml:1: {told}"]


AUTO = """
[server]
listen = "0.0.0.0:8000"
public_url = "https://mirror.test/x"
hosts = ["other.test", "third.test:81"]
[mirrors.npm]
ecosystem = "npm"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "auto"
auth = "header X-Key secret"
[mirrors.fixed]
ecosystem = "npm"
upstream = "http://upstream.test"
"""


def test_auto_upstreams_are_discovered_at_the_same_time(tmp_path: Path) -> None:
    together = threading.Barrier(2, timeout=30)
    asked: list[tuple[str, str, frozenset[str]]] = []

    def discover(ecosystem: str, name: str, own: frozenset[str]) -> Discovered:
        together.wait()  # passes only when both are asked at once
        asked.append((ecosystem, name, own))
        return Discovered(f"http://{name}.test", ("authorization", "Basic x"))

    (tmp_path / "config.toml").write_text(AUTO)
    npm, pypi, fixed = load(tmp_path / "config.toml", discover=discover).mirrors
    assert (npm.upstreams, npm.auth) == (("http://npm.test",), ("authorization", "Basic x"))
    assert (pypi.upstreams, pypi.auth) == (("http://pypi.test",), ("x-key", "secret"))
    assert (fixed.upstreams, fixed.auth) == (("http://upstream.test",), None)
    assert sorted(call[:2] for call in asked) == [("npm", "npm"), ("pypi", "pypi")]
    known = {"0.0.0.0:8000", "localhost:8000", "mirror.test:443", "other.test:8000", "other.test:80", "third.test:81"}
    assert known <= asked[0][2]


def test_mirror_without_a_client_is_unavailable_and_the_others_work(tmp_path: Path) -> None:
    def discover(ecosystem: str, name: str, own: frozenset[str]) -> Discovered:
        if ecosystem == "npm":
            raise Unavailable("npm is not installed on this machine")
        return Discovered("http://index.test/simple")

    (tmp_path / "config.toml").write_text(AUTO)
    npm, pypi, fixed = load(tmp_path / "config.toml", discover=discover).mirrors
    assert (npm.upstreams, npm.unavailable) == ((), "npm is not installed on this machine")
    assert (pypi.upstreams, pypi.unavailable) == (("http://index.test/simple",), "")
    assert fixed.unavailable == ""


def test_certificate_and_key_are_one(tmp_path: Path) -> None:
    def told(certificate: Path, key: Path) -> list[str]:
        server = f'[server]\ntls_key = "{key.name}"\ntls_cert = "{certificate}"\n'
        return problems(tmp_path, server + MIRROR)

    one, key = certified(tmp_path, "one")
    other, _ = certified(tmp_path, "other")
    locked = certified(tmp_path, "locked", "-passout", "pass:swordfish")
    assert told(other, key) == ["config.toml:2: [server] tls_key: not the key of tls_cert"]
    assert told(*locked) == ["config.toml:2: [server] tls_key: no key (PEM) without a password"]
    assert told(one, one) == ["config.toml:2: [server] tls_key: no key (PEM) without a password"]
    two = tmp_path / "two.toml"
    two.write_text(f'[server]\nworkers = 2\ntls_key = "{key.name}"\ntls_cert = "{one.name}"\n{MIRROR}')
    with pytest.raises(ConfigError, match=r"two.toml:2: \[server\] workers: with https there is one process"):
        load(two)
    server = read(tmp_path, f'[server]\ntls_key = "one.key"\ntls_cert = "one.pem"\n{MIRROR}').server
    assert (server.tls_cert, server.tls_key, server.scheme) == (one, key, "https")


def test_a_key_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path, how: str) -> None:
        raise PermissionError(13, "Permission denied")

    certified(tmp_path, "one")
    monkeypatch.setattr(Path, "open", denied)  # root may read everything
    with pytest.raises(ConfigError, match=r'"one.key" cannot be read: Permission denied'):
        certificate.key("one.key", tmp_path)


def test_a_mirror_may_have_a_share_of_the_cache(tmp_path: Path) -> None:
    plain = '[mirrors.{}]\necosystem = "any"\nmax_size = "{}"\n'
    config = read(tmp_path, plain.format("a", "5GB") + plain.format("b", "") + plain.format("c", "1KiB"))
    assert [mirror.max_size for mirror in config.mirrors] == [5_000_000_000, None, 1024]
    assert config.shares == {"a": 5_000_000_000, "c": 1024}


def test_what_the_log_is_like_is_read(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        f"""
        [log]
        level = "warning"
        format = "json"
        file = "log/mirror.jsonl"
        levels = {{ origin = "debug", access = "info" }}
        {MIRROR}""",
    )
    levels = {"origin": "debug", "access": "info"}
    assert config.log == LogSettings("warning", "json", tmp_path / "log/mirror.jsonl", levels)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('level = "loud"', '[log] level: "loud" is not one of debug, info, warning, error'),
        ('format = "xml"', '[log] format: "xml" is not one of text, json'),
        ('levels = { origin = "loud" }', '[log] levels: "loud" is not one of debug, info, warning, error'),
        ('levels = { nobody = "info" }', '[log] levels: "nobody" is not one of access, '),
        ('levels = "info"', '[log] levels: "info" is not a table'),
    ],
)
def test_what_the_log_cannot_be_like_is_said(tmp_path: Path, line: str, problem: str) -> None:
    (found,) = problems(tmp_path, f"{MIRROR}[log]\n{line}\n")
    assert problem in found
