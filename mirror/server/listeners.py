"""Sockets that listen for several processes: of their own, or one that they share."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import Any

from mirror.server.run import BACKLOG
from mirror.values import Address


def listening(listen: Address, count: int) -> list[tuple[socket.socket, ...]]:
    """Listening sockets for so many workers: of their own, among which the kernel divides connections; of a path, one
    that they share. OSError where there can be none."""
    if listen.path:
        return [(_at_path(listen.path),)] * count
    known = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found = list(dict.fromkeys((family, address) for family, _, _, _, address in known))
    for family, address in found:
        _bound(family, address, shared=False).close()  # a port that may be shared would be shared with others, too
    return [tuple(_listening(_bound(*where, shared=True)) for where in found) for _ in range(count)]


def _bound(family: int, address: Any, *, shared: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
    except BaseException:
        opened.close()
        raise
    return opened


def _at_path(path: Path) -> socket.socket:
    mode = 0o666
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        mode = stat.S_IMODE(path.stat().st_mode)
        path.unlink()
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened.bind(str(path))
    path.chmod(mode)
    return _listening(opened)


def _listening(opened: socket.socket) -> socket.socket:
    opened.setblocking(False)
    opened.listen(BACKLOG)
    return opened
