"""What lock files name -> addresses at the mirror: of Python projects by their pages, of npm packages by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote, unquote, urljoin, urlsplit

from packaging.utils import canonicalize_name

from mirror import choosing
from mirror.choosing import Target
from mirror.client import Client
from mirror.errors import ConfigError, Unanswered
from mirror.locks import Skipped, Wanted

SIMPLE = "application/vnd.pypi.simple.v1+json"
_AT_ONCE = 8


@dataclass(slots=True)
class Resolved:
    """Addresses, each once; what is not fetched on purpose; what should be and is not to be found."""

    addresses: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    failed: list[Skipped] = field(default_factory=list)


def mirrors(client: Client, named: str, ecosystems: Sequence[str]) -> dict[str, str]:
    """The mirror for each ecosystem: the one that is named, else the only one there is. Raises ConfigError."""
    if not ecosystems:
        return {}
    known = {name: one.get("ecosystem", "") for name, one in client.get("/-/api/stats")["mirrors"].items()}
    if named and named not in known:
        raise ConfigError([f"--mirror {named}: there is no such mirror ({', '.join(known)})"])
    found = {}
    for ecosystem in ecosystems:
        fitting = [name for name, its in known.items() if its == ecosystem]
        if named in fitting:
            fitting = [named]
        if len(fitting) > 1:
            raise ConfigError([f"which of the {ecosystem} mirrors: --mirror {' or '.join(fitting)}?"])
        if not fitting:
            raise ConfigError([f"the server has no {ecosystem} mirror"])
        found[ecosystem] = fitting[0]
    return found


def resolve(
    client: Client, wanted: list[Wanted], named: str, target: Target, seen: Callable[[int, int], None]
) -> Resolved:
    """Addresses as clients ask them, or upstreams' where only those are known. `seen(done, total)` as pages come in.

    Raises ConfigError where it is not clear which mirror is meant.
    """
    resolved = Resolved()
    ours = []
    for one in wanted:
        if target.wants(one):
            ours.append(one)
        else:
            resolved.skipped.append(Skipped(one.name, "for other machines (--all-files takes it)"))
    here = mirrors(client, named, sorted({one.ecosystem for one in ours if one.ecosystem}))
    ask = partial(_addresses, client, here, target)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done, (one, answer) in enumerate(zip(ours, pool.map(ask, ours), strict=True), 1):
            if isinstance(answer, str):
                resolved.failed.append(Skipped(f"{one.name}{one.version}", answer))
            else:
                resolved.addresses += answer
            seen(done, len(ours))
    resolved.addresses = list(dict.fromkeys(resolved.addresses))
    return resolved


def _addresses(client: Client, here: dict[str, str], target: Target, one: Wanted) -> list[str] | str:
    """Of one thing; or why there are none."""
    if one.ecosystem == "npm":
        return npm(here["npm"], one)
    return _python(client, here["pypi"], one, target) if one.ecosystem == "pypi" else [one.url]


def npm(mirror: str, one: Wanted) -> list[str]:
    """The package's document and its tarball: where registries have it, else where the lock file says."""
    plain = f"{one.name.rpartition('/')[2]}-{one.version}.tgz"
    path = unquote(urlsplit(one.url).path)
    usual = re.search(rf"/{re.escape(one.name)}/-/([^/]+)$", path)
    document = f"/{mirror}/{one.name}"
    if one.url and not usual:
        return [document, one.url]
    return [document, f"{document}/-/{quote(usual[1] if usual else plain, safe='~!()*')}"]


def _python(client: Client, mirror: str, one: Wanted, target: Target) -> list[str] | str:
    page = f"/{mirror}/simple/{canonicalize_name(one.name)}/"
    try:
        listed = client.get(page, accept=SIMPLE).get("files")
    except Unanswered as error:
        return str(error)
    except AttributeError:
        listed = None
    if not isinstance(listed, list):
        return f"{page} is no page of an index"
    files, reason = choosing.files((file for file in listed if isinstance(file, dict)), one, target)
    found = [page]
    for file in files:
        address = _here(mirror, urljoin(page, file["url"]))
        found.append(address)
        if file.get("core-metadata") or file.get("dist-info-metadata"):
            found.append(f"{address}.metadata")  # PEP 658: what pip asks for before the wheel
    return reason or found


def _here(mirror: str, url: str) -> str:
    """The path at this server, where it is one."""
    parts = urlsplit(url)
    return parts.path if parts.path.startswith(f"/{mirror}/") else url.partition("#")[0]
