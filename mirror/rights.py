"""Who may do what: roles, the tokens that carry them, and how often a wrong one may be shown."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from mirror.errors import TooOften, Unproven

log = logging.getLogger("mirror.rights")

MOST = 10
"""Wrong tokens that an address may show within WITHIN seconds before it is told to wait."""
WITHIN = 60.0
ADDRESSES = 1000
"""Addresses of which failures are remembered."""


class Role(IntEnum):
    """What a request may do; each may do all that those before it may."""

    READ = 1  # look at what is stored and counted; use a mirror with `access = "token"`
    OPERATE = 2  # purge, warm, refresh
    ADMIN = 3  # change how the server runs


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the server knows it: its `name` in the configuration, its role, and the SHA-256 of its text."""

    name: str
    role: Role
    digest: bytes = field(repr=False)


def digest(token: str) -> bytes:
    """What is kept of a token. It has no salt and takes no time: a token has 256 bits, which nobody can try out."""
    return hashlib.sha256(token.encode("utf-8")).digest()


class Tokens:
    """All tokens that are `known`, and the failures of those who showed others."""

    def __init__(self, known: Sequence[Token] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self.known = tuple(known)
        self._failures = Failures(clock)

    def find(self, shown: str) -> Role | None:
        """The role of a token, in a time that tells nothing of those that are known."""
        found = self._found(shown)
        return found.role if found is not None else None

    def _found(self, shown: str) -> Token | None:
        asked = digest(shown)
        same = [hmac.compare_digest(asked, token.digest) for token in self.known]  # always all of them
        return self.known[same.index(True)] if shown and any(same) else None

    def role(self, credentials: Sequence[str], client: str) -> Role:
        """The role of `token`. Raises as that does."""
        return self.token(credentials, client).role

    def token(self, credentials: Sequence[str], client: str) -> Token:
        """The token that the Authorization (or Proxy-Authorization) fields of a request of this client's address carry.

        Raises Unproven where there is no token or a wrong one, TooOften where there were too many wrong ones. A right
        one is let in even then: who guesses must not lock out those who come from the same address, and what limits
        guessing is the length of a token.
        """
        if not credentials:
            raise Unproven("a token is needed")
        found = self._found(_shown(credentials[0])) if len(credentials) == 1 else None
        if found is not None:
            return found
        if wait := self._failures.more(client):
            raise TooOften("too many wrong tokens came from this address", wait)
        raise Unproven("the token is not one that is known here")


class Failures:
    """When wrong tokens were shown, by address: of IPv6 by the network of 64 bits, which is one customer's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def more(self, client: str) -> float:
        """One more, of that address: 0, or the seconds for which no other will be looked at (this one then does not
        count)."""
        place, now = _place(client), self._clock()
        times = self._times.setdefault(place, deque())
        self._times.move_to_end(place)
        while times and times[0] <= now - WITHIN:
            times.popleft()
        if len(times) >= MOST:
            return times[0] + WITHIN - now
        times.append(now)
        if len(times) == MOST:
            log.warning(
                "%d wrong tokens within %d s from %s; more are answered 429", MOST, WITHIN, client or "a socket"
            )
        if len(self._times) > ADDRESSES:
            self._times.popitem(last=False)
        return 0.0


def loopback(host: str) -> bool:
    """Whether a host, a name or an address without brackets, is this machine for itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _shown(credentials: str) -> str:
    """The token of a field's value: of `Bearer T`, or of `Basic`, whose password it is (RFC 6750 §2.1, RFC 7617 §2)."""
    scheme, _, value = credentials.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _place(client: str) -> str:
    address = _address(client)
    return str(IPv6Network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address or client)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
