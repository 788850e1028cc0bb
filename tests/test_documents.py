"""Rewritten documents: made once, kept as gzip, served plain to those who want that."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import random
import threading
import zlib
from collections.abc import AsyncGenerator, Iterator
from types import SimpleNamespace

import pytest

from mirror.documents import Documents, Made, NoDocument, takes_gzip
from mirror.errors import OriginError
from mirror.model import Headers, Rewrite, Rewritten
from mirror.ports import Piece, Source
from mirror.reply import InMemory

BODY = bytes(range(256)) * 4096


@pytest.fixture
def documents() -> Iterator[Documents]:
    made = Documents(limit=100_000)
    yield made
    made.close()


def upper(body: bytes, _: Headers) -> Rewritten:
    return Rewritten((body[at : at + 1000].upper() for at in range(0, len(body), 1000)), "text/plain")


async def read(source: Source, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([bytes(piece) async for piece in source.read(start, end) if isinstance(piece, bytes | memoryview)])


async def test_plain_and_packed_are_the_same_document(documents: Documents) -> None:
    made = await documents.made("/m/a", Rewrite("x", upper), InMemory(BODY), Headers())
    assert gzip.decompress(made.packed) == BODY.upper() == await read(made.plain())
    assert made.size == len(BODY)


@pytest.mark.parametrize(("start", "end"), [(0, 1), (5, None), (100_000, 300_000), (len(BODY) - 1, len(BODY)), (7, 7)])
async def test_parts_of_the_plain_document(documents: Documents, start: int, end: int | None) -> None:
    made = await documents.made("/m/a", Rewrite("x", upper), InMemory(BODY), Headers())
    assert await read(made.plain(), start, end) == BODY.upper()[start:end]


async def test_the_same_bytes_each_time(documents: Documents) -> None:
    one = await documents.made("/m/a", Rewrite("x", upper), InMemory(BODY), Headers())
    two = await documents.made("/m/b", Rewrite("x", upper), InMemory(BODY), Headers())
    assert one == two
    assert one is not two


async def test_many_who_want_one_document_have_it_made_once(documents: Documents) -> None:
    calls = []

    def counted(body: bytes, headers: Headers) -> Rewritten:
        calls.append(1)
        return upper(body, headers)

    rewrite = Rewrite("x", counted)
    made = await asyncio.gather(*(documents.made("/m/a", rewrite, InMemory(BODY), Headers()) for _ in range(20)))
    made.append(await documents.made("/m/a", rewrite, InMemory(BODY), Headers()))
    assert all(each is made[0] for each in made)
    assert len(calls) == 1


async def test_other_bytes_and_other_variants_are_other_documents(documents: Documents) -> None:
    made = [
        await documents.made(key, Rewrite(variant, upper), InMemory(body), Headers())
        for key, variant, body in [("/m/a", "x", b"a"), ("/m/a", "y", b"a"), ("/m/a", "x", b"b"), ("/m/b", "x", b"a")]
    ]
    assert len({id(each) for each in made}) == 4


async def test_no_more_is_kept_than_the_limit(documents: Documents) -> None:
    bodies = [random.Random(at).randbytes(5000) for at in range(100)]
    for at, body in enumerate(bodies):
        await documents.made(
            "/m/a", Rewrite(str(at), lambda body, _: Rewritten([body], "x/y")), InMemory(body), Headers()
        )
    assert sum(len(made.packed) for made in documents._kept.values()) == documents._size <= 100_000
    assert 0 < len(documents._kept) < 100


async def test_what_is_no_document_says_so_to_all_who_wait(documents: Documents) -> None:
    def broken(_: bytes, __: Headers) -> Rewritten:
        raise OriginError("no page")

    waiting = (documents.made("/m/a", Rewrite("x", broken), InMemory(BODY), Headers()) for _ in range(3))
    assert all(isinstance(found, NoDocument) for found in await asyncio.gather(*waiting, return_exceptions=True))
    assert not documents._making


async def test_one_who_leaves_leaves_the_others_theirs(documents: Documents) -> None:
    loop, begun, gate = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def slow(body: bytes, headers: Headers) -> Rewritten:
        loop.call_soon_threadsafe(begun.set)
        gate.wait(10)
        return upper(body, headers)

    leaving, staying = (
        asyncio.ensure_future(documents.made("/m/a", Rewrite("x", slow), InMemory(BODY), Headers())) for _ in range(2)
    )
    await begun.wait()
    leaving.cancel()
    gate.set()
    assert (await staying).size == len(BODY)
    assert leaving.cancelled()


@pytest.mark.parametrize(
    ("field", "taken"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("gzip, deflate", True),
        ("zstd,gzip,deflate", True),
        ("x-gzip", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("identity;q=1, gzip;q=0.5", False),
        ("identity;q=0.5, gzip;q=1.0", True),
        ("br, zstd", False),
    ],
)
def test_who_gets_gzip(field: str | None, taken: bool) -> None:
    assert takes_gzip(Headers.of({} if field is None else {"accept-encoding": field})) is taken


async def test_a_stored_document_is_in_memory_for_one_client_at_a_time(documents: Documents) -> None:
    reading, most, reads = 0, 0, 0

    class Slow:
        async def read(self, start: int, end: int | None) -> AsyncGenerator[Piece, None]:
            nonlocal reading, most, reads
            reading, reads = reading + 1, reads + 1
            most = max(most, reading)
            for at in range(0, len(BODY), 65536):
                await asyncio.sleep(0)
                yield BODY[at : at + 65536]
            reading -= 1

        async def close(self) -> None:
            return None

    async def one(digest: str) -> Made:
        return await documents.made("/m/a", Rewrite("x", upper), Slow(), Headers(), stored=True, digest=digest)

    made = await asyncio.gather(*(one("") for _ in range(10)))
    assert most == 1
    assert all(each is made[0] for each in made)
    reads = 0
    other = Rewrite("y", upper)
    known = hashlib.sha256(BODY).hexdigest()
    await asyncio.gather(
        *(documents.made("/m/a", other, Slow(), Headers(), stored=True, digest=known) for _ in range(10))
    )
    assert reads == 1  # who knows what it wants need not read it


async def test_a_plain_document_is_unpacked_without_copying_the_rest_each_time(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await documents.made(
        "/m/a",
        Rewrite("x", lambda body, _: Rewritten([body], "x/y")),
        InMemory(random.Random(1).randbytes(4 << 20)),
        Headers(),
    )
    fed = 0

    class Machine:
        def __init__(self, bits: int) -> None:
            self.real = zlib.decompressobj(bits)

        eof = property(lambda self: self.real.eof)
        unconsumed_tail = property(lambda self: self.real.unconsumed_tail)

        def decompress(self, packed: bytes, most: int) -> bytes:
            nonlocal fed
            fed += len(packed)
            return self.real.decompress(packed, most)

    monkeypatch.setattr("mirror.documents.zlib", SimpleNamespace(decompressobj=Machine, MAX_WBITS=zlib.MAX_WBITS))
    assert len(await read(made.plain())) == made.size
    assert fed <= 2 * made.size
