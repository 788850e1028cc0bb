"""The origin of the instruments, and a packument of 1 MB at it; a process: `python -m bench.hit.origin`."""

from __future__ import annotations

import asyncio
import gzip
import random
import re
import signal
import string
import sys

from bench.packument import packument
from mirror.model import Request
from tests.instruments.answers import Response
from tests.instruments.origin import Origin

_LETTERS = string.ascii_letters + string.digits
PACKAGE = "large"  # the name in bench/packument.py


def digests(text: bytes) -> bytes:
    """The document with digests and signatures that differ and do not compress, as real ones."""
    dice = random.Random(0)
    return re.sub(rb"A{86}|y{96}", lambda found: "".join(dice.choices(_LETTERS, k=len(found[0]))).encode(), text)


async def main() -> None:
    plain = digests(packument(1_000_000))
    bodies = {"": plain, "gzip": gzip.compress(plain)}
    over, loop = asyncio.Event(), asyncio.get_running_loop()
    async with Origin() as origin:

        def respond(request: Request) -> Response:
            coding = "gzip" if "gzip" in (request.headers.get("accept-encoding") or "") else ""
            known = [("Content-Type", "application/json"), ("Cache-Control", "max-age=86400"), ("ETag", f'"1{coding}"')]
            coded = [("Vary", "Accept-Encoding"), *[("Content-Encoding", coding)] * bool(coding)]
            return Response(200, known + coded, bodies[coding])

        origin.route(f"/{PACKAGE}", body=respond)
        print(origin.url(), f"http://127.0.0.1:{origin.listen()}", sep="\n", flush=True)
        loop.add_signal_handler(signal.SIGTERM, over.set)
        loop.add_reader(sys.stdin, over.set)
        await over.wait()


if __name__ == "__main__":
    asyncio.run(main())
