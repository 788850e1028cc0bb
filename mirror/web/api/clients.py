"""`GET /-/api/clients`: the lines that point each client at the mirrors."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from mirror.model import Headers, Mirror
from mirror.operations import Operations
from mirror.pointers import CLIENTS, commands, ecosystems
from mirror.web.api.about import About
from mirror.web.auth import Rights, Role


class ClientLines(BaseModel):
    """The lines for a shell (for apt: for its sources) that point one client at a mirror."""

    client: str
    lines: list[str]


class MirrorClients(BaseModel):
    """One mirror, and the clients that can use it."""

    name: str
    ecosystem: str
    clients: list[ClientLines]


class ClientsAnswer(BaseModel):
    """All mirrors."""

    address: str = Field(description="where this client sees the server")
    mirrors: list[MirrorClients]


def routes(operations: Operations, rights: Rights, about: About) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/clients", dependencies=[rights.needs(Role.READ)])
    async def clients(request: Request) -> ClientsAnswer:
        """What to write where, for each client; the address is the one by which this request came."""
        address = about.names().base(request.scope, Headers.of(request.headers.items()))
        return ClientsAnswer(address=address, mirrors=[_of(mirror, address) for mirror in operations.mirrors])

    return router


def _of(mirror: Mirror, address: str) -> MirrorClients:
    usable = [client for client in CLIENTS if mirror.ecosystem in ecosystems(client)]
    told = [ClientLines(client=client, lines=commands(client, mirror, address)) for client in usable]
    clients = [each for each in told if each.lines]
    return MirrorClients(name=mirror.name, ecosystem=mirror.ecosystem, clients=clients)
