"""A client of the admin API, as the command line needs it: blocking, and its errors are sentences for a person."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from mirror.errors import Unanswered

_CONNECT, _READ = 5.0, 60.0  # seconds; a purge answers within a few
_NEEDED = "a token of role {role} or more is needed"
_REMEDY = "MIRROR_ADMIN_TOKEN=... in the environment, or --token-file FILE"


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is: `address` without trailing slash, or its `socket`. Trusted besides the system's roots are
    those of `ca_file`; with `pinned` (PEM), that certificate alone, whatever names it has."""

    address: str
    socket: Path | None = None
    ca_file: Path | None = None
    pinned: str = ""
    token: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket else self.address


class Client:
    """All methods raise Unanswered. `transport` stands for the network."""

    def __init__(self, server: Server, transport: httpx.BaseTransport | None = None) -> None:
        self.server = server
        fields = {"authorization": f"Bearer {server.token}"} if server.token else {}
        if transport is None:
            transport = httpx.HTTPTransport(
                verify=_trust(server), uds=str(server.socket) if server.socket else None, trust_env=False
            )
        self._http = httpx.Client(
            base_url=server.address,
            headers=fields,
            timeout=httpx.Timeout(_READ, connect=_CONNECT),
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, *, accept: str = "application/json", **parameters: str | int | None) -> Any:
        """The JSON at `path`; parameters that are None or "" are not sent."""
        sent = {name: value for name, value in parameters.items() if value not in (None, "")}
        return self._asked("GET", path, "read", params=sent, headers={"accept": accept})

    def post(self, path: str, body: dict[str, Any] | None = None, role: str = "operate") -> Any:
        """The JSON that is answered to `body`; `role` is the one that it needs."""
        return self._asked("POST", path, role, json=body or {})

    def delete(self, path: str) -> Any:
        """The JSON that is answered."""
        return self._asked("DELETE", path, "operate")

    def _asked(self, method: str, path: str, role: str, **more: Any) -> Any:
        try:
            answer = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise Unanswered(self._unreached(error)) from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise Unanswered(f"{path!r} cannot be asked for: {error}", 400) from error
        try:
            told = answer.json()
        except (ValueError, RecursionError):
            told = None
        if answer.is_success and told is not None:
            return told
        raise Unanswered(self._refused(answer.status_code, told, role), answer.status_code)

    def _refused(self, status: int, told: object, role: str) -> str:
        detail = told.get("detail") if isinstance(told, dict) else None
        if not isinstance(detail, str):
            return f"what answers at {self.server} (HTTP {status}) is no mirror, or not one that can do this"
        if status == 401 or (status == 403 and self.server.token):
            needed = "such a token" if "role" in detail else _NEEDED.format(role=role)
            return f"{detail}\n{needed}: {_REMEDY}"
        return detail

    def _unreached(self, error: httpx.HTTPError) -> str:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            reason = "no answer" if isinstance(error, httpx.TimeoutException) else str(error) or "no connection"
            if "CERTIFICATE_VERIFY_FAILED" in reason:
                return (
                    f"{self.server}: its certificate is not trusted ({_short(reason)}): give its root, --ca-file FILE"
                )
            return (
                f"{self.server} cannot be reached ({_short(reason)}). Is the mirror running there (`mirror serve`)? "
                "Another address: --server URL, or MIRROR_SERVER"
            )
        if isinstance(error, httpx.TimeoutException):
            return f"{self.server} did not answer within {_READ:.0f} s"
        return f"{self.server} did not answer as a mirror does ({_short(str(error)) or type(error).__name__})"


def _short(reason: str) -> str:
    """Without OpenSSL's and the system's numbers: `[Errno 111] Connection refused`."""
    return reason.rpartition("] ")[2].partition(" (_ssl")[0]


def _trust(server: Server) -> ssl.SSLContext | bool:
    if not server.address.startswith("https:"):
        return False  # and no second is lost by reading certificates
    if server.pinned:
        pinned = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        pinned.check_hostname = False  # it is known which certificate it has to be
        pinned.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        pinned.load_verify_locations(cadata=server.pinned)
        return pinned
    trusted = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or None)
    if server.ca_file:
        trusted.load_verify_locations(server.ca_file)
    return trusted
