"""Reads from a Kubernetes API as raw JSON, over one kept connection."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from blackstart.errors import ServiceUnreachable
from blackstart.kube import kubeconfig
from blackstart.kube.login import Credentials

PAGE = 500
UNAUTHORIZED = 401


class Kube:
    """An async context manager. ``context`` of the kubeconfig, "" for the current one; ``timeout_seconds`` a call."""

    def __init__(
        self, context: str = "", environ: Mapping[str, str] = os.environ, timeout_seconds: float = 2.0
    ) -> None:
        self._context = context
        self._environ = environ
        self._timeout = timeout_seconds
        self._access: kubeconfig.Access | None = None
        self._tls: dict[bytes, ssl.SSLContext] = {}
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_seconds))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The object at ``path``; ServiceUnreachable when it is not there or the API does not answer."""
        if self._access is None:
            self._access = await asyncio.to_thread(kubeconfig.access, self._environ, self._context)
        access = self._access
        url = URL(f"{access.server}{path}" + (f"?{urlencode(query)}" if query else ""), encoded=True)
        try:
            answer = await self._asked(access, url)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            problem = f"did not answer as it should ({error or type(error).__name__})"
            raise ServiceUnreachable(f"read {path}", access.server, problem) from error
        if not isinstance(answer, dict):
            raise ServiceUnreachable(f"read {path}", access.server, "answered with something that is no object")
        return answer

    async def _asked(self, access: kubeconfig.Access, url: URL) -> Any:
        """The JSON at ``url``; asked again with new credentials if the old ones are refused."""
        login = access.login
        kept = login.kept()
        credentials = kept if kept is not None else await asyncio.to_thread(login.credentials)
        async with await self._sent(access, url, credentials) as response:
            if response.status != UNAUTHORIZED:
                return await _json(response)
        others = await asyncio.to_thread(login.renew, credentials)
        if others is None:
            self._access = None  # what the kubeconfig says now may be of more use
            response.raise_for_status()
        async with await self._sent(access, url, others or credentials) as response:
            return await _json(response)

    async def _sent(self, access: kubeconfig.Access, url: URL, credentials: Credentials) -> aiohttp.ClientResponse:
        if url.scheme == "https" and credentials.certificate not in self._tls:
            self._tls[credentials.certificate] = await asyncio.to_thread(access.trust.context, credentials)
        return await self._session.get(
            url,
            headers=credentials.headers,
            ssl=self._tls.get(credentials.certificate, True),
            server_hostname=access.trust.name or None,
            proxy=access.proxy or None,
        )

    async def items(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """All objects of the list at ``path``, page by page; the errors of `get`."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            page = await self.get(path, {**(query or {}), "limit": str(PAGE), **({"continue": token} if token else {})})
            found.extend(page.get("items") or ())
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                return found


async def _json(response: aiohttp.ClientResponse) -> Any:
    response.raise_for_status()
    return await response.json(content_type=None)
