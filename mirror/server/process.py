"""What a process asks of its system, once: descriptors, memory that stays, no search for garbage in what is loaded."""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import resource
import signal
from contextlib import suppress

from mirror.server.garbage import leave_the_old

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h

KEPT = 16 << 20
"""Bytes at the end of the heap that are not given back to the system."""

MAPPED = 4 << 20
"""Bytes from which a block is mapped for itself."""


MOST = 1 << 16
"""Descriptors for which there is room at once: half a megabyte of the system's memory."""


def wait_for_a_reload() -> None:
    """To be called first of all: who asks for the configuration to be read again before somebody can see to it has what
    is wanted, and must not end the server by that."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def prepare() -> None:
    """To be called before anything is served, and before any fork."""
    _raise_descriptors()
    _keep_memory()
    gc.collect()
    leave_the_old()
    gc.freeze()  # it stays: looking at all of it again and again would hold up requests, and unshare it after a fork


def _raise_descriptors() -> None:
    """As many descriptors as the system lets us have: each connection and each open body takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def make_room_for_descriptors() -> None:
    """To be called in each process that serves. The system's table of them doubles whenever it is full, and a process
    that has threads waits for that, event loop and all: 8 to 16 ms each time (fs/file.c, expand_fdtable)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as one, suppress(OSError):  # noqa: PTH123
        os.close(fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, min(soft, MOST) - 1))


def _keep_memory() -> None:
    """Chunks of bodies come and go; each time that their memory is the system's again, having it back costs as much as
    copying it twenty times (page faults). Where the C library is another than glibc, that is its own affair."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_TRIM_THRESHOLD, KEPT)
    mallopt(_MMAP_THRESHOLD, MAPPED)
