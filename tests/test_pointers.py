"""What each client is told, and what its existing file becomes: text in, text out."""

from __future__ import annotations

import configparser
import tomllib

import pytest

from mirror.model import Mirror
from mirror.pointers import CLIENTS, NotMergeable, commands, ecosystems, settings, welcome

PYPI, NPM, DEBIAN = Mirror("pypi", "pypi"), Mirror("npm", "npm"), Mirror("debian", "apt")
HTTP, HTTPS = "http://localhost:8000", "https://mirror.example.com/cache"
REFUSED = "only a person can change"


def merged(client: str, text: str, mirror: Mirror = PYPI, address: str = HTTP, file: int = 0) -> str:
    """The client's file after the merge; a second one changes nothing."""
    setting = settings(client, [mirror], address)[file]
    once = setting.merge(text)
    assert setting.merge(once) == once
    return once


def pip(text: str, address: str = HTTP) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read_string(merged("pip", text, address=address))
    return {name: dict(parser.items(name)) for name in parser.sections()}


@pytest.mark.parametrize("client", [client for client in CLIENTS if client not in ("poetry", "curl")])
def test_new_file_is_what_an_empty_one_becomes(client: str) -> None:
    mirror = {"pypi": PYPI, "npm": NPM, "apt": DEBIAN}[ecosystems(client)[0]]
    for setting in settings(client, [mirror], HTTP, "bookworm"):
        assert setting.merge("") == setting.text
        assert setting.merge(setting.text) == setting.text


def test_files_of_each_client_over_plain_http() -> None:
    texts = {
        client: [setting.text for setting in settings(client, [PYPI if client in ("pip", "uv") else NPM], HTTP)]
        for client in ("pip", "uv", "npm", "pnpm", "yarn")
    }
    assert texts == {
        "pip": ["[global]\nindex-url = http://localhost:8000/pypi/simple/\ntrusted-host = localhost:8000\n"],
        "uv": ['[[index]]\nname = "mirror"\nurl = "http://localhost:8000/pypi/simple/"\ndefault = true\n'],
        "npm": ["registry=http://localhost:8000/npm/\n"],
        "pnpm": ["registry=http://localhost:8000/npm/\n"],
        "yarn": [
            'registry "http://localhost:8000/npm/"\n',
            'npmRegistryServer: "http://localhost:8000/npm"\nunsafeHttpWhitelist:\n  - "localhost"\n',
        ],
    }


def test_https_needs_no_trust() -> None:
    assert pip("", HTTPS) == {"global": {"index-url": f"{HTTPS}/pypi/simple/"}}
    assert settings("yarn", [NPM], HTTPS)[1].text == f'npmRegistryServer: "{HTTPS}/npm"\n'
    assert "trusted" not in "".join(commands("pip", PYPI, HTTPS))


def test_clients_without_a_file_have_commands() -> None:
    assert settings("poetry", [PYPI], HTTP) == settings("curl", [Mirror("get", "any")], HTTP) == ()
    assert commands("poetry", PYPI, HTTP)[0] == (
        "poetry source add --priority=primary mirror http://localhost:8000/pypi/simple/"
    )
    assert commands("curl", Mirror("get", "any"), HTTP) == ["curl -O http://localhost:8000/get/https/HOST/PATH"]
    assert commands("curl", Mirror("o", "http"), HTTP) == ["curl -O http://localhost:8000/o/PATH"]


def test_welcome_has_a_line_for_each_usual_client() -> None:
    assert [line.split()[0] for line in welcome(PYPI, HTTP)] == ["pip", "export"]
    assert [line.split()[0] for line in welcome(NPM, HTTP)] == ["npm"]
    assert [line.split()[0] for line in welcome(DEBIAN, HTTP)] == ["deb"]
    assert [line.split()[0] for line in welcome(Mirror("o", "http"), HTTP)] == ["curl"]


def test_pip_keeps_other_settings_comments_and_trusted_hosts() -> None:
    before = "# mine\n[global]\ntimeout = 60\nindex_url = http://upstream.test/simple/\nextra-index-url =\n  http://a.test/\n"
    before += "  http://b.test/\ntrusted-host =\n    a.test\n    b.test\n\n[install]\nno-compile = yes\n"
    assert pip(before) == {
        "global": {
            "index-url": f"{HTTP}/pypi/simple/",
            "trusted-host": "a.test b.test localhost:8000",
            "timeout": "60",
            "extra-index-url": "\nhttp://a.test/\nhttp://b.test/",
        },
        "install": {"no-compile": "yes"},
    }
    assert merged("pip", before).startswith("# mine\n[global]\n")


def test_pip_file_without_the_section_and_the_last_line_end_gets_both() -> None:
    after = merged("pip", "[install]\nno-compile = yes")
    assert after.startswith("[install]\nno-compile = yes\n\n[global]\nindex-url = ")


def test_pip_section_that_would_count_more_is_refused() -> None:
    with pytest.raises(NotMergeable, match=r"index-url in \[install\]"):
        merged("pip", "[install]\nindex-url = http://upstream.test/simple/\n")


def test_files_that_their_own_client_cannot_read_are_refused() -> None:
    with pytest.raises(NotMergeable, match="pip cannot read it"):
        merged("pip", "index-url = http://upstream.test/simple/\n")
    with pytest.raises(NotMergeable, match="uv cannot read it"):
        merged("uv", "[[index\n")


def test_uv_default_index_is_replaced_where_it_stands() -> None:
    before = 'offline = false\n\n[[index]]\nname = "a"\nurl = "http://a.test/"\n\n'
    before += '[[index]]\nname = "b"\nurl = "http://b.test/"\ndefault = true\n\n# pip\n[pip]\nverify-hashes = true\n'
    after = merged("uv", before)
    assert tomllib.loads(after) == {
        "offline": False,
        "index": [
            {"name": "a", "url": "http://a.test/"},
            {"name": "mirror", "url": f"{HTTP}/pypi/simple/", "default": True},
        ],
        "pip": {"verify-hashes": True},
    }
    assert "\n\n# pip\n[pip]\n" in after


def test_uv_file_without_a_default_index_gets_one_at_its_end() -> None:
    after = merged("uv", '[pip]\nverify-hashes = true\n[[index]]\nurl = "http://a.test/"')
    assert [index["url"] for index in tomllib.loads(after)["index"]] == ["http://a.test/", f"{HTTP}/pypi/simple/"]


@pytest.mark.parametrize(
    "text", ['index = [{ url = "http://a.test/" }]\n', 'index = [{ url = "x", default = true }]\n']
)
def test_uv_file_with_its_indexes_on_one_line_is_refused(text: str) -> None:
    with pytest.raises(NotMergeable, match=REFUSED):
        merged("uv", text)


def test_npm_line_is_replaced_and_all_others_stay() -> None:
    before = "; mine\nregistry = http://a.test/\n//a.test/:_authToken=x\n@acme:registry=http://b.test/\nregistry=http://c.test/"
    assert merged("npm", before, NPM) == (
        f"; mine\nregistry={HTTP}/npm/\n//a.test/:_authToken=x\n@acme:registry=http://b.test/\n"
    )
    assert merged("npm", "fund=false\n[section]\nregistry=x\n", NPM) == (
        f"fund=false\nregistry={HTTP}/npm/\n[section]\nregistry=x\n"
    )


def test_yarn_1_line_is_replaced() -> None:
    before = '# mine\nregistry "http://a.test/"\nlastUpdateCheck 1\n"@acme:registry" "http://b.test/"\n'
    assert merged("yarn", before, NPM) == before.replace("http://a.test/", f"{HTTP}/npm/")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("nodeLinker: pnp", 'nodeLinker: pnp\nnpmRegistryServer: "{}"\nunsafeHttpWhitelist:\n  - "localhost"\n'),
        (
            "unsafeHttpWhitelist: [a.test]\nnpmRegistryServer: http://a.test\n",
            'unsafeHttpWhitelist: [a.test, "localhost"]\nnpmRegistryServer: "{}"\n',
        ),
        (
            "unsafeHttpWhitelist:\n- a.test\nnodeLinker: pnp\n",
            'unsafeHttpWhitelist:\n- "localhost"\n- a.test\nnodeLinker: pnp\nnpmRegistryServer: "{}"\n',
        ),
        (
            "unsafeHttpWhitelist:\n  - a.test\n  - 'localhost'\n",
            "unsafeHttpWhitelist:\n  - a.test\n  - 'localhost'\nnpmRegistryServer: \"{}\"\n",
        ),
    ],
)
def test_yarn_4_list_of_hosts_keeps_what_it_has(before: str, after: str) -> None:
    assert merged("yarn", before, NPM, file=1) == after.format(f"{HTTP}/npm")


@pytest.mark.parametrize("text", ["{a: 1}\n", "unsafeHttpWhitelist: &x [a]\n", "unsafeHttpWhitelist:\n  [a]\n"])
def test_yarn_4_file_in_another_style_is_refused(text: str) -> None:
    with pytest.raises(NotMergeable, match=REFUSED):
        merged("yarn", text, NPM, file=1)


def test_apt_file_has_a_stanza_for_each_mirror() -> None:
    mirrors = [DEBIAN, Mirror("debian-security", "apt"), Mirror("ubuntu", "apt"), Mirror("other", "apt")]
    (setting,) = settings("apt", mirrors, HTTP, "bookworm")
    debian, security, ubuntu, other = setting.text.split("\n\n")
    keys = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"
    assert debian == (f"Types: deb\nURIs: {HTTP}/debian/\nSuites: bookworm bookworm-updates\nComponents: main\n{keys}")
    assert "\nSuites: bookworm-security\n" in security
    assert security.endswith(keys)
    assert "/ubuntu-archive-keyring.gpg" in ubuntu
    assert "Signed-By" not in other
    assert "\nSuites: SUITE SUITE-updates\n" in settings("apt", mirrors, HTTP)[0].text


@pytest.mark.parametrize(
    ("client", "ecosystem", "line"),
    [
        ("pip", "pypi", "machine localhost login mirror password TOKEN    (in ~/.netrc)"),
        ("uv", "pypi", "machine localhost login mirror password TOKEN    (in ~/.netrc)"),
        ("poetry", "pypi", "poetry config http-basic.mirror mirror TOKEN"),
        ("npm", "npm", "npm config set //localhost:8000/m/:_authToken TOKEN"),
        ("pnpm", "npm", "pnpm config set //localhost:8000/m/:_authToken TOKEN"),
        ("yarn", "npm", 'npmAuthToken: "TOKEN"    (Yarn 4: in ~/.yarnrc.yml)'),
        ("apt", "apt", f"machine {HTTP}/m/ login mirror password TOKEN    (in /etc/apt/auth.conf.d/mirror.conf)"),
        ("curl", "any", "with -u mirror:TOKEN"),
    ],
)
def test_where_a_mirror_asks_for_a_token_its_place_is_told(client: str, ecosystem: str, line: str) -> None:
    assert commands(client, Mirror("m", ecosystem, access="token"), HTTP)[-1] == line
    assert "TOKEN" not in "".join(commands(client, Mirror("m", ecosystem), HTTP))
