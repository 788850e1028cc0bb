"""Deterministic bodies: every byte of any object is known from seed and offset, so nothing need be stored to check it.

Construction: one tile of TILE random bytes (a prime number of them), repeated, entered at a place that the seed
decides; over it, at every multiple of EVERY, a stamp of eight bytes that counts up from a number that the seed decides.

Why a splice shows: moved by k bytes, where k is no multiple of TILE, random bytes meet other random bytes at once.
Where k is one, the tiles agree, but TILE is odd, so the stamps meet tile bytes, unless k is a multiple of EVERY, too,
and then they meet stamps with another count (the step is odd, so counts repeat only after 2**64). Hence any shift, and
any other seed, shows within EVERY + 8 bytes. A hole of zeroes shows at once.
"""

from __future__ import annotations

import hashlib
import struct
from functools import cache, lru_cache

TILE = 1_048_583
EVERY = 4096
_STEP = 0x9E3779B97F4A7C15  # 2**64 / golden ratio, odd: neighbouring stamps differ in all their bytes
_PIECE = 262_144


def versioned(seed: int | str, version: int) -> str:
    """The seed of another version of the same object; version 0 is the seed itself."""
    return f"{seed}~{version}" if version else str(seed)


def into(target: bytearray | memoryview, seed: int | str, offset: int) -> None:
    """Overwrites all of `target` with the object's bytes from `offset` on."""
    view, tile, (turn, count) = memoryview(target), memoryview(_tile()), _start(str(seed))
    done, place = 0, (offset + turn) % TILE
    while done < len(view):
        step = min(len(view) - done, TILE - place)
        view[done : done + step] = tile[place : place + step]
        done, place = done + step, 0
    _stamp(view, count, offset)


def body(seed: int | str, offset: int, length: int) -> bytes:
    """The object's bytes [offset, offset + length); an object has no end of its own."""
    return bytes(_build(seed, offset, length))


def check(seed: int | str, offset: int, got: bytes | bytearray | memoryview) -> int | None:
    """The object offset of the first wrong byte of `got`, which should stand at `offset`; None if all are right."""
    expected = _build(seed, offset, len(got))
    if expected == got:  # bytearray compares with any buffer by memcmp; memoryview would go byte by byte
        return None
    return offset + next(index for index, (left, right) in enumerate(zip(expected, got, strict=True)) if left != right)


def digest(seed: int | str, size: int, algorithm: str = "sha256") -> str:
    """The hex digest of the object's first `size` bytes; `algorithm` is a `hashlib` name."""
    running = hashlib.new(algorithm, usedforsecurity=False)
    for offset in range(0, size, _PIECE):
        running.update(_build(seed, offset, min(_PIECE, size - offset)))
    return running.hexdigest()


def _build(seed: int | str, offset: int, length: int) -> bytearray:
    built = bytearray(length)
    into(built, seed, offset)
    return built


def _stamp(view: memoryview, count: int, offset: int) -> None:
    last = len(view) - 8
    for number in range(max(0, offset - 8 + EVERY) // EVERY, (offset + len(view) - 1) // EVERY + 1):
        place, value = number * EVERY - offset, (count + number * _STEP) & 0xFFFF_FFFF_FFFF_FFFF
        if 0 <= place <= last:
            struct.pack_into("<Q", view, place, value)
        else:
            first, end = max(0, place), min(len(view), place + 8)
            view[first:end] = value.to_bytes(8, "little")[first - place : max(0, end - place)]


@cache  # the memory of a pure function: it costs 3 ms to compute and never changes
def _tile() -> bytes:
    return hashlib.shake_128(b"one tile for all bodies").digest(TILE)


@lru_cache(maxsize=4096)
def _start(seed: str) -> tuple[int, int]:
    """(place in the tile, count of the stamp) where the object's offset 0 stands."""
    turn, count = struct.unpack_from("<QQ", hashlib.sha256(seed.encode()).digest())
    return turn % TILE, count
