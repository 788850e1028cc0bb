"""A caching proxy as one writes it in an afternoon: FastAPI, httpx, aiofiles. It is right as long as nothing fails."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aiofiles
import aiofiles.os
import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

FOLDER = Path(os.environ["NAIVE_FOLDER"])
KEPT = ("content-type", "content-length", "etag", "last-modified", "cache-control")

app = FastAPI()
client = httpx.AsyncClient(base_url=os.environ["NAIVE_ORIGIN"])


@app.get("/{path:path}")
async def proxy(request: Request) -> StreamingResponse:
    """From the file where there is one, else from the origin, and into the file."""
    target = f"{request.url.path}?{request.url.query}"
    file = FOLDER / hashlib.sha256(target.encode()).hexdigest()
    if await aiofiles.os.path.exists(f"{file}.json"):
        async with aiofiles.open(f"{file}.json") as head:
            return StreamingResponse(stored(file), headers=json.loads(await head.read()))
    answer = await client.send(client.build_request("GET", target), stream=True)
    fields = {name: answer.headers[name] for name in KEPT if name in answer.headers}
    if answer.status_code != 200:
        over = BackgroundTask(answer.aclose)
        return StreamingResponse(answer.aiter_raw(), answer.status_code, fields, background=over)
    return StreamingResponse(tee(answer, file, fields), headers=fields)


async def stored(file: Path) -> AsyncIterator[bytes]:
    async with aiofiles.open(file, "rb") as body:
        while chunk := await body.read(65536):
            yield chunk


async def tee(answer: httpx.Response, file: Path, fields: dict[str, str]) -> AsyncIterator[bytes]:
    """Each chunk to the file and to the client."""
    part = f"{file}.{uuid.uuid4().hex}"
    try:
        async with aiofiles.open(part, "wb") as body:
            async for chunk in answer.aiter_raw():
                await body.write(chunk)
                yield chunk
        await aiofiles.os.replace(part, file)
        async with aiofiles.open(f"{part}.json", "w") as head:
            await head.write(json.dumps(fields))
        await aiofiles.os.replace(f"{part}.json", f"{file}.json")
    finally:
        await answer.aclose()
