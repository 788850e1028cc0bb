"""`python -m tests.instruments.unreadable serve ...`: the mirror on a disk that is broken behind a place of its blobs.

While the file that MIRROR_UNREADABLE names stands, bytes from the offset that it holds on cannot be read of any blob
that was stored before.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from mirror.cli import main

_pread, _preadv, _sendfile = os.pread, os.preadv, os.sendfile


def _good(fd: int, offset: int) -> int:
    """How many bytes from `offset` on can be read."""
    try:
        fault = Path(os.environ["MIRROR_UNREADABLE"])
        first, since = int(fault.read_text()), fault.stat().st_mtime_ns
    except FileNotFoundError:
        return sys.maxsize
    lost = "/blobs.v1/" in os.readlink(f"/proc/self/fd/{fd}") and os.fstat(fd).st_mtime_ns < since
    return first - offset if lost else sys.maxsize


def _checked(fd: int, offset: int, count: int) -> int:
    size = os.fstat(fd).st_size
    good = _good(fd, offset)
    if good <= 0 and offset + 4096 < size:  # the footer is elsewhere
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return min(count, good) if good > 0 else count


def pread(fd: int, count: int, offset: int) -> bytes:
    return _pread(fd, _checked(fd, offset, count), offset)


def preadv(fd: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
    _checked(fd, offset, 1)
    return _preadv(fd, buffers, offset, flags)


def sendfile(out: int, fd: int, offset: int, count: int) -> int:
    return _sendfile(out, fd, offset, _checked(fd, offset, count))


if __name__ == "__main__":
    os.pread, os.preadv, os.sendfile = pread, preadv, sendfile  # type: ignore[assignment]
    sys.exit(main(sys.argv[1:]))
