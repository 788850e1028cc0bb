"""Loopback ports of one's own: below those that the kernel gives to whoever connects somewhere, in other runs too."""

from __future__ import annotations

import random
import socket

_OURS = range(10_000, 32_000)


def free_port() -> int:
    """A port at which nobody listens."""
    with bound() as probe:
        port: int = probe.getsockname()[1]
        return port


def bound(port: int = 0) -> socket.socket:
    """A socket that holds a loopback port (0: any); until it listens, the port refuses connections."""
    for wanted in [port] if port else random.SystemRandom().sample(_OURS, 100):
        sock = socket.socket()
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(bool(port)))  # one that was ours before
            sock.bind(("127.0.0.1", wanted))
        except OSError:
            sock.close()
            continue
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return sock
    raise OSError(f"port {port or 'of ours'} is taken")
