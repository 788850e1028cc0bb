"""[admin] of config.toml: tokens, and where one is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirror.cautions import cautions
from mirror.cli import main
from mirror.cli.token import made
from mirror.config import Config, load
from mirror.errors import ConfigError
from mirror.rights import Role, Token, Tokens, digest
from mirror.settings import ServerSettings
from mirror.values import Address

MIRROR = '[mirrors.o]\necosystem = "http"\nupstream = "http://upstream.test"\n'
HASH = digest("swordfish").hex()
CI = f'[admin.tokens.ci]\nrole = "operate"\nhash = "sha256:{HASH}"\n'


def read(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text)
    return load(path)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        read(folder, text)
    assert "swordfish" not in str(error.value)
    return [problem.removeprefix(f"{folder}/config.toml:") for problem in error.value.problems]


def test_tokens_are_read(tmp_path: Path) -> None:
    admin = read(tmp_path, f'[admin]\ntoken = "plain"\npage = false\nreads = "token"\n{CI}{MIRROR}').admin
    token = Token("ci", Role.OPERATE, digest("swordfish"))
    assert (admin.page, admin.reads, admin.tokens) == (False, "token", (token,))
    assert admin.known == (Token("", Role.ADMIN, digest("plain")), token)
    assert HASH not in repr(admin)


def test_a_token_that_was_made_is_found_by_its_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for role in Role:
        assert main(["token", "--role", role.name.lower(), "ci"]) == 0
        token, _, lines = capsys.readouterr().out.partition("\n")
        admin = read(tmp_path, f"{MIRROR}[{lines.partition('[')[2]}").admin
        assert len(token) >= 43
        assert [each.name for each in admin.known] == ["ci"]
        assert Tokens(admin.known).find(token) == role
    assert made("a", "read") != made("a", "read")
    assert main(["token", "Ci"]) == 2
    assert "not a name" in capsys.readouterr().err


def test_where_a_mirror_is_not_for_everybody_looking_is_not_unless_that_is_said(tmp_path: Path) -> None:
    closed = f'{MIRROR}access = "token"\n'
    assert read(tmp_path, f"{CI}{MIRROR}").admin.reads == "anyone"
    assert read(tmp_path, f"{CI}{closed}").admin.reads == "token"
    said = read(tmp_path, f'[admin]\nreads = "anyone"\n{CI}{closed}')
    assert (said.admin.reads, said.mirrors[0].access) == ("anyone", "token")
    assert cautions(said) == ['[admin] reads = "anyone": everybody may see what is stored of o']


WANTING = "there is no token (`mirror token` makes one, and the lines for this file)"
BAD = [
    (
        '[admin.tokens.ci]\nrole = "boss"\nhash = "swordfish"',
        [
            '2: [admin.tokens.ci] role: "boss" is not one of read, operate, admin',
            "3: [admin.tokens.ci] hash: not a hash (write sha256: and 64 hex digits; `mirror token` shows that of a "
            "new token)",
        ],
    ),
    (
        "[admin.tokens.Ci]",
        [
            "1: [admin.tokens.Ci]: not a name for a token (a-z, 0-9 and -, no - in front)",
            "1: [admin.tokens.Ci] role: missing (one of read, operate, admin)",
            "1: [admin.tokens.Ci] hash: missing (`mirror token` shows that of a new token)",
        ],
    ),
    (f"{CI}token = 1", ["4: [admin.tokens.ci] token: unknown key"]),
    ('[admin]\ntokens = "x"', ["2: [admin] tokens: not a table (write [admin.tokens.NAME])"]),
    ('[admin.tokens]\nci = "x"', ["2: [admin.tokens.ci]: not a table (write [admin.tokens.ci])"]),
    (
        f'[admin.tokens.ci]\nrole = "read"\nhash = "sha256:{digest("").hex()}"',
        ["3: [admin.tokens.ci] hash: the hash of an empty token"],
    ),
    (f"{CI}{CI.replace('ci', 'cd')}", ["6: [admin.tokens.cd] hash: the same token as [admin.tokens.ci]"]),
    (f'[admin]\ntoken = "swordfish"\n{CI}', ["5: [admin.tokens.ci] hash: the same token as [admin] token"]),
    ('[admin]\npage = "no"', ['2: [admin] page: "no" is neither true nor false']),
    ('[admin]\nreads = "all"', ['2: [admin] reads: "all" is not one of anyone, token']),
    ('[admin]\nreads = "token"', [f"2: [admin] reads: {WANTING}"]),
    ('[mirrors.a]\necosystem = "any"\naccess = "token"', [f"3: [mirrors.a] access: {WANTING}"]),
    ('[mirrors.a]\necosystem = "any"\naccess = "no"', ['3: [mirrors.a] access: "no" is not one of anyone, token']),
    (
        '[admin]\ntoken = "env:MIRROR_TEST_NONE"\nreads = "token"',
        ["2: [admin] token: environment variable MIRROR_TEST_NONE is not set"],
    ),
]


@pytest.mark.parametrize(("text", "told"), BAD)
def test_each_mistake_is_named_with_its_line_and_key(tmp_path: Path, text: str, told: list[str]) -> None:
    assert problems(tmp_path, f"{text}\n{MIRROR}") == told


LOCAL, EVERYWHERE = Address("127.0.0.1", 8000), Address("0.0.0.0", 8000)


@pytest.mark.parametrize(
    ("listen", "public_url", "hosts", "key"),
    [
        (LOCAL, "", (), ""),
        (LOCAL, "https://mirror.test", (), "public_url"),
        (LOCAL, "http://mirror.test:8000", (), "public_url"),
        (LOCAL, "http://localhost:9000", ("127.0.0.1", "[::1]:80", "a.localhost"), ""),
        (LOCAL, "", ("localhost", "mirror.test:8000"), ""),
        (Address(path=Path("/run/mirror")), "https://mirror.test", (), "public_url"),
        (Address(path=Path("/run/mirror")), "", (), ""),
        (EVERYWHERE, "http://mirror.test:8000", ("mirror.test",), ""),  # as itself
        (EVERYWHERE, "https://mirror.test:8000", (), "public_url"),  # it speaks no https itself
        (EVERYWHERE, "http://mirror.test", (), "public_url"),  # nor does it listen there
        (Address("0.0.0.0", 80), "http://mirror.test", (), ""),
    ],
)
def test_a_proxy_is_known_by_the_names_that_clients_use(
    listen: Address, public_url: str, hosts: tuple[str, ...], key: str
) -> None:
    assert ServerSettings(listen, public_url=public_url, hosts=hosts).proxied == key


def test_what_a_proxy_hides_is_told_until_there_is_a_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proxied = f'[server]\npublic_url = "https://mirror.test"\n{MIRROR}'
    (told,) = cautions(read(tmp_path, proxied))
    assert told.startswith("[server] public_url says that a proxy stands in front")
    assert main(["check", "--config", str(tmp_path / "config.toml")]) == 0
    assert f"note: {told}" in capsys.readouterr().out
    assert cautions(read(tmp_path, f"{proxied}{CI}")) == []


def test_a_plain_token_that_can_be_guessed_is_told(tmp_path: Path) -> None:
    (told,) = cautions(read(tmp_path, f'[admin]\ntoken = "swordfish"\n{MIRROR}'))
    assert told.startswith("[admin] token has fewer than 16 characters")
    assert "swordfish" not in told
    assert cautions(read(tmp_path, f'[admin]\ntoken = "{"x" * 16}"\n{MIRROR}')) == []
