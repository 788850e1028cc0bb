"""Who may do what, as a table, and the page made of it: `python -m tests.web.rights_table > docs/rights.md`.

A new route is a column: a line in COLUMNS, and its cell at the end of each row. `-`: not asked.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

HERE, ABROAD = "127.0.0", "192.0.2"
"""Networks of clients: this machine, and another one."""
FILE = "obj/a/100?cc=max-age=86400"
JSON = "application/json"
PURGE = b'{"urls": ["/open/never"]}'


@dataclass(frozen=True, slots=True)
class What:
    """A request: its method and target, and a body of that kind."""

    method: str
    target: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Who:
    """A client: the network that it comes from, and the fields that it sends."""

    network: str = HERE
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """A configuration, what is to be said of it, and the status of each answer."""

    says: str
    config: str
    cells: dict[str, str]


COLUMNS = {
    "health": What("GET", "/-/health"),
    "ready": What("GET", "/-/ready"),
    "docs": What("GET", "/-/api/docs"),
    "openapi.json": What("GET", "/-/api/openapi.json"),
    "stats": What("GET", "/-/api/stats"),
    "purge": What("POST", "/-/api/purge", JSON),
    "purge by GET": What("GET", "/-/api/purge"),
    "purge by a form": What("POST", "/-/api/purge", "text/plain"),
    "`PURGE`": What("PURGE", f"/open/{FILE}"),
    "a file": What("GET", f"/open/{FILE}"),
    "a file of a mirror with `access`": What("GET", f"/closed/{FILE}"),
    "held": What("GET", "/-/api/held?mirror=open"),
}

EVIL = ("Origin", "http://evil.test")
REBOUND = ("Host", "evil.test")
FORWARDED = ("X-Forwarded-For", "192.0.2.1")


def token(role: str) -> str:
    """The token of that role that the servers know."""
    return f"the-token-of-the-role-{role}"


def bearer(role: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token(role)}"


def password(role: str) -> tuple[str, str]:
    return "Authorization", "Basic " + base64.b64encode(f"anybody:{token(role)}".encode()).decode()


ROWS = {
    "nobody, on this machine": Who(),
    "nobody, elsewhere": Who(ABROAD),
    "through a proxy on this machine that says so": Who(HERE, (FORWARDED,)),
    "a page of another origin": Who(HERE, (EVIL,)),
    "a page whose name was made to lead here": Who(HERE, (REBOUND,)),
    "a wrong token": Who(HERE, (bearer("none"),)),
    "a read token, from elsewhere": Who(ABROAD, (bearer("read"),)),
    "an operate token, from elsewhere": Who(ABROAD, (bearer("operate"),)),
    "an admin token, from elsewhere": Who(ABROAD, (bearer("admin"),)),
    "an admin token as password": Who(ABROAD, (password("admin"),)),
    "an admin token, through a proxy": Who(HERE, (bearer("admin"), FORWARDED)),
    "a page of another origin, with an admin token": Who(HERE, (bearer("admin"), EVIL)),
}

MIRROR = '[mirrors.{name}]\necosystem = "http"\nupstream = "{{upstream}}"\nallow_private = true\n'
OPEN = MIRROR.format(name="open")
CLOSED = MIRROR.format(name="closed") + 'access = "token"\n'
TOKENS = "".join(
    f'[admin.tokens.{role}]\nrole = "{role}"\nhash = "sha256:{hashlib.sha256(token(role).encode()).hexdigest()}"\n'
    for role in ("read", "operate", "admin")
)

SERVERS = {
    "No token": Server(
        "As it comes: whoever reaches the server may look and download; changes are for this machine.",
        OPEN,
        {
            "nobody, on this machine": "200 200 200 200 200 200 405 415 200 200 - 200",
            "nobody, elsewhere": "200 200 200 200 200 403 405 403 403 200 - 200",
            "through a proxy on this machine that says so": "200 200 200 200 200 403 405 403 403 200 - 200",
            "a page of another origin": "200 200 200 200 200 403 405 403 403 200 - 200",
            "a page whose name was made to lead here": "200 200 200 200 200 403 405 403 403 200 - 200",
            "a wrong token": "200 200 200 200 200 200 405 415 200 200 - 200",
        },
    ),
    "No token, behind a proxy": Server(
        'The server listens on loopback, and `public_url = "https://mirror.test"` says that others reach it: through a '
        "proxy on this machine, behind which they all look like this machine. Nobody may change anything until there "
        "is a token.",
        f'[server]\npublic_url = "https://mirror.test"\n{OPEN}',
        {
            "nobody, on this machine": "200 200 200 200 200 403 405 403 403 200 - 200",
            "nobody, elsewhere": "200 200 200 200 200 403 405 403 403 200 - 200",
            "through a proxy on this machine that says so": "200 200 200 200 200 403 405 403 403 200 - 200",
        },
    ),
    "Tokens": Server(
        "With a token (`[admin] token`, or `[admin.tokens.NAME]`) this machine has no rights by itself; `reads = "
        '"anyone"` lets everybody look, also at what is stored of mirrors that are not for everybody.',
        f'[admin]\nreads = "anyone"\n{TOKENS}{OPEN}{CLOSED}',
        {
            "nobody, on this machine": "200 200 200 200 200 401 405 401 401 200 401 200",
            "nobody, elsewhere": "200 200 200 200 200 401 405 401 401 200 401 200",
            "through a proxy on this machine that says so": "200 200 200 200 200 401 405 401 401 200 401 200",
            "a page of another origin": "200 200 200 200 200 403 405 403 403 200 401 200",
            "a page whose name was made to lead here": "200 200 200 200 200 401 405 401 401 200 401 200",
            "a wrong token": "200 200 200 200 200 401 405 401 401 200 401 200",
            "a read token, from elsewhere": "200 200 200 200 200 403 405 403 403 200 200 200",
            "an operate token, from elsewhere": "200 200 200 200 200 200 405 415 200 200 200 200",
            "an admin token, from elsewhere": "200 200 200 200 200 200 405 415 200 200 200 200",
            "an admin token as password": "200 200 200 200 200 200 405 415 200 200 200 200",
            "an admin token, through a proxy": "200 200 200 200 200 200 405 415 200 200 200 200",
            "a page of another origin, with an admin token": "200 200 200 200 200 403 405 403 403 200 200 200",
        },
    ),
    "Tokens, also for looking": Server(
        'Where a mirror has `access = "token"`, looking needs a token too, unless `reads` says otherwise. Health and '
        "readiness stay open.",
        f"{TOKENS}{OPEN}{CLOSED}",
        {
            "nobody, on this machine": "200 200 401 401 401 401 401 401 401 200 401 401",
            "nobody, elsewhere": "200 200 401 401 401 401 401 401 401 200 401 401",
            "a wrong token": "200 200 401 401 401 401 401 401 401 200 401 401",
            "a read token, from elsewhere": "200 200 200 200 200 403 405 403 403 200 200 200",
            "an operate token, from elsewhere": "200 200 200 200 200 200 405 415 200 200 200 200",
            "an admin token, from elsewhere": "200 200 200 200 200 200 405 415 200 200 200 200",
            "an admin token as password": "200 200 200 200 200 200 405 415 200 200 200 200",
            "a page of another origin, with an admin token": "200 200 200 200 200 403 405 403 403 200 200 200",
        },
    ),
}

COMMAND = "python -m tests.web.rights_table > docs/rights.md"

INTRODUCTION = f"""\
# Who may do what

Tokens have a role: `read` (look at what is stored and counted, and use mirrors with `access = "token"`), `operate`
(purge and the like, too), `admin` (everything). `mirror token --role ROLE NAME` makes one, shows it once, and says
which lines make it known; the server keeps its SHA-256 alone. The plain `[admin] token` has the role `admin`.

A token is shown as `Authorization: Bearer TOKEN`, or as the password of any user (`Basic`), which every client can do.
Through the server as a proxy it is `Proxy-Authorization`. What is shown to this server goes to no upstream.

- **401** (407 as a proxy): no token, or a wrong one.
- **403**: a token of a smaller role; a page of another origin; without any token configured: not from this machine.
- **429**: ten wrong tokens came from this address within a minute. A right one is let in all the same: nobody can lock
  out those who share an address with him; what stands against guessing is a token's length, of which `mirror check`
  warns.
- **415**: a change's body has to be `application/json`, which a form cannot send.
- **405**: nothing is changed by GET.

Without a token, whoever looks like this machine may change things: its other users, and whoever comes through a port
forward or a proxy that ends here. A proxy is known by `public_url`, or by the fields that it adds; one that
shows in neither cannot be known: **set a token wherever others reach the server through something else.**

The tables are what the tests check (`tests/web/test_rights.py`), status by status. This page is made from them; do not
edit it: `{COMMAND}`.
"""


def document() -> str:
    """The page."""
    parts = [INTRODUCTION]
    for name, server in SERVERS.items():
        columns = [column for at, column in enumerate(COLUMNS) if _asked(server, at)]
        parts.append(f"## {name}\n\n{server.says}\n")
        parts.append(f"| who | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
        parts += [
            f"| {who} | {' | '.join(cell for cell in row.split() if cell != '-')} |"
            for who, row in server.cells.items()
        ]
        parts.append("")
    return "\n".join(parts)


def _asked(server: Server, at: int) -> bool:
    return any(row.split()[at] != "-" for row in server.cells.values())


if __name__ == "__main__":
    print(document(), end="")
