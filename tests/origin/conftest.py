"""The scripted origin, clients that must have let go of everything at the end, and certificates."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from mirror.origin import Origin, OriginSettings
from tests.instruments.clock import Clock
from tests.origin.scripted import Make, RawOrigin


@pytest.fixture
async def raw() -> AsyncIterator[RawOrigin]:
    origin = RawOrigin()
    await origin.start()
    yield origin
    await origin.stop()


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Opens origins; at the end none of them may have a connection in use."""
    opened: list[Origin] = []

    async def opening(
        transport: httpx.AsyncBaseTransport | None = None, naps: list[float] | None = None, **settings: object
    ) -> Origin:
        clock = Clock(1000.0)

        async def sleep(seconds: float) -> None:
            clock.wind(seconds)
            if naps is not None:
                naps.append(seconds)

        origin = Origin(
            OriginSettings(**settings),  # type: ignore[arg-type]
            transport=transport,
            wall=iter(range(1000, 2000)).__next__,
            sleep=sleep,
            random=lambda: 1.0,
            clock=clock,
        )
        await origin.open()
        opened.append(origin)
        return origin

    yield opening
    for origin in opened:
        assert origin.in_use == {}
        await origin.close()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A directory with an authority (ca.pem), another one (other.pem), and a certificate for localhost (server.pem)."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl command")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"):
        openssl("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    openssl("x509", "-req", "-in", "server.csr", *signed, "-out", "server.pem")
    (tmp_path / "bundle.pem").write_text((tmp_path / "other.pem").read_text() + (tmp_path / "ca.pem").read_text())
    return tmp_path
