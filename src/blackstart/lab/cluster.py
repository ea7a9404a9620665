"""The Kubernetes API of one region, as the lab's own nodes use it: plain JSON over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from blackstart.errors import ServiceUnreachable
from blackstart.lab.manifests import MERGE

Object = dict[str, Any]
CALL_SECONDS = 2.0
WATCH_SECONDS = 30


class Cluster:
    """Calls to the API server at ``url``. ServiceUnreachable: no answer, or one that the server is to blame for."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def list(self, path: str) -> tuple[list[Object], str]:
        """Everything at ``path``, and the resource version to watch from."""
        _, body = await self.call("GET", path)
        return body.get("items") or [], body["metadata"]["resourceVersion"]

    async def create(self, path: str, body: Object) -> bool:
        """POST ``body``; False if it exists already."""
        status, _ = await self.call("POST", path, body, accepts=(409,))
        return status != 409

    async def merge(self, path: str, body: Object) -> bool:
        """Merge-patch ``path``; False if there is no such object, or it is another one than ``body`` names by uid."""
        status, _ = await self.call("PATCH", path, body, content=MERGE, accepts=(404, 409))
        return status not in (404, 409)

    async def delete(self, path: str, body: Object | None = None) -> None:
        """DELETE ``path``; no complaint if it is gone already, or its name is another's."""
        await self.call("DELETE", path, body, accepts=(404, 409))

    async def call(
        self,
        verb: str,
        path: str,
        body: Object | None = None,
        *,
        content: str = "application/json",
        accepts: tuple[int, ...] = (),
    ) -> tuple[int, Object]:
        """One request. Status codes from 300 on raise, but for those that the caller ``accepts``."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content} if body is not None else None
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
        try:
            async with self._session.request(
                verb, self.url + path, data=data, headers=headers, timeout=timeout
            ) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServiceUnreachable(f"{verb} {path}", self.url, f"did not answer ({error!r})") from error
        if answer.status >= 300 and answer.status not in accepts:
            raise ServiceUnreachable(f"{verb} {path}", self.url, f"answered {answer.status}: {text[:300]}")
        return answer.status, json.loads(text) if text else {}

    async def watch(self, path: str, version: str) -> AsyncIterator[tuple[str, Object]]:
        """Events at ``path`` after ``version``: (``ADDED``, ``MODIFIED``, ``DELETED``; object). Ends now and then.

        ServiceUnreachable when ``version`` is too old, or the server went away: list again.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CALL_SECONDS, sock_read=WATCH_SECONDS + 10)
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
        try:
            async with self._session.get(self.url + path, params=query, timeout=timeout) as answer:
                if answer.status != 200:
                    raise ServiceUnreachable(f"watch {path}", self.url, f"answered {answer.status}")
                while line := await answer.content.readline():
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ServiceUnreachable(f"watch {path}", self.url, event["object"].get("message", "failed"))
                    if event["type"] != "BOOKMARK":
                        yield event["type"], event["object"]
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ServiceUnreachable(f"watch {path}", self.url, f"broke off ({error!r})") from error
