"""TLS in front of an origin that speaks plain HTTP."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Front:
    """Where the origin is reached by https, and the certificate that a client has to trust for that."""

    port: int
    certificate: Path


def certified(folder: Path, name: str, *options: str) -> tuple[Path, Path]:
    """A certificate for this machine that it signs itself, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *(options or ("-nodes",)))
    names = ("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    command = ["openssl", "req", "-x509", *curve, "-keyout", str(key), "-out", str(certificate), *names]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@asynccontextmanager
async def tls_front(origin: int, folder: Path) -> AsyncIterator[Front]:
    """Passes on to the port `origin` what comes to a port of its own."""
    certificate, key = await asyncio.to_thread(certified, folder, "front")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(task := asyncio.ensure_future(_pass(reader, writer, origin)))
        task.add_done_callback(tasks.discard)

    tasks: set[asyncio.Future[None]] = set()
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield Front(server.sockets[0].getsockname()[1], certificate)
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, origin: int) -> None:
    try:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", origin)
    except OSError:
        writer.close()
        return
    try:
        await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))
    finally:
        writer.close()
        to_writer.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(65_536):
            target.write(piece)
            await target.drain()
    except ConnectionError:
        pass
    finally:
        target.close()
