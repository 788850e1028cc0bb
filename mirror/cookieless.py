"""The HTTP client that all requests to origins share. It has no cookie jar: what one user is given is no other's."""

from __future__ import annotations

import httpx

__all__ = ["Client"]


class _NoCookies(httpx.Cookies):
    """Takes none, has none. A jar that refuses all would parse each answer first."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass

    def set_cookie_header(self, request: httpx.Request) -> None:
        pass


class Client(httpx.AsyncClient):
    """An `AsyncClient` without cookies."""

    _none = _NoCookies()

    @property  # type: ignore[misc]  # nobody sets it
    def cookies(self) -> httpx.Cookies:
        return self._none
