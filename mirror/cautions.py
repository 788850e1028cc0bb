"""What is not wrong with a configuration, and yet not what its author may think."""

from __future__ import annotations

from mirror.policy.gatekeeper import Gatekeeper
from mirror.policy.names import Selector
from mirror.policy.reasons import lasting, moment
from mirror.policy.rules import Exemption
from mirror.settings import Config

SHORT = 16
"""Characters of a token, below which it can be tried out: right ones are never told to wait."""

SOON = 7 * 86400.0
"""Seconds before its end from which on an exemption is told of."""


def cautions(config: Config) -> list[str]:
    """A line for each, with its key."""
    admin, key, found = config.admin, config.server.proxied, []
    if key and not admin.known:
        found.append(
            f"[server] {key} says that a proxy stands in front, and behind it every client looks like this machine: "
            "changes below /-/api are refused until there is a token (`mirror token` makes one)"
        )
    if 0 < len(admin.token) < SHORT:
        found.append(f"[admin] token has fewer than {SHORT} characters and can be guessed (`mirror token` makes one)")
    closed = [mirror.name for mirror in config.mirrors if mirror.access == "token"]
    if closed and admin.reads == "anyone":
        found.append(f'[admin] reads = "anyone": everybody may see what is stored of {", ".join(closed)}')
    return found


def ending(config: Config, now: float) -> list[str]:
    """A line for each exemption that has no effect any more at `now`, or will have none in a week: those that end first
    come first."""
    gates = [mirror.gate.policy.exempt for mirror in config.mirrors if isinstance(mirror.gate, Gatekeeper)]
    known = dict.fromkeys(each for exemptions in (config.policy.exempt, *gates) for each in exemptions)
    return [_ended(each, now) for each in sorted(known, key=lambda each: each.until) if each.until <= now + SOON]


def _ended(exemption: Exemption, now: float) -> str:
    names = ", ".join(_written(each) for each in exemption.rule.packages)
    versions = f" {', '.join(exemption.rule.versions)}" if exemption.rule.versions else ""
    at = moment(exemption.until)
    when = f"has expired ({at})" if exemption.until <= now else f"ends in {lasting(exemption.until - now)} ({at})"
    return f"[[policy.exempt]] {names}{versions} {when}: {exemption.owner} answers for it"


def _written(package: Selector) -> str:
    version = f"@{package.version}" if package.version else ""
    return f"{package.ecosystem}:{package.pattern}{version}" if package.ecosystem else package.pattern
