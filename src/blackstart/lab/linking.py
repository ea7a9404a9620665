"""The supervisor's side of the links process: open and close links, cut zones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp

from blackstart.errors import ServiceUnreachable
from blackstart.lab.parts import Address
from blackstart.lab.topology import Crosses, Link

SECONDS = 5.0


@dataclass(frozen=True)
class Linking:
    """Calls to the admin API at ``url``; ServiceUnreachable when it does not do as asked."""

    session: aiohttp.ClientSession
    url: str
    others: tuple[str, ...] = ()  # admin APIs of processes that carry one link each, and are cut with the rest

    async def open(self, name: str, target: Address, crosses: Crosses) -> Address:
        """A new link to ``target`` at a port of its own choice."""
        asked = {"name": name, "target_host": target[0], "target_port": target[1], "crosses": crosses}
        return ("127.0.0.1", (await self._call("POST", "/links", asked))["port"])

    async def lay(self, link: Link) -> None:
        """A new link at the address that was planned for it."""
        asked = asdict(link)
        (asked["listen_host"], asked["listen_port"]) = asked.pop("listen")
        (asked["target_host"], asked["target_port"]) = asked.pop("target")
        await self._call("POST", "/links", asked)

    async def turn(self, name: str, target: Address, crosses: Crosses) -> None:
        """Let new connections over a link lead to ``target`` from now on."""
        asked = {"target_host": target[0], "target_port": target[1], "crosses": crosses}
        await self._call("PUT", f"/links/{name}", asked)

    async def close(self, name: str) -> None:
        """Close a link; no complaint if there is none."""
        await self._call("DELETE", f"/links/{name}", None, accepts=404)

    async def cut(self, zones: Iterable[str]) -> None:
        """Exactly ``zones`` are cut off when this returns."""
        asked = {"zones": sorted(zones)}
        await asyncio.gather(*(self._call("PUT", "/cuts", asked, url=url) for url in (self.url, *self.others)))

    async def _call(self, verb: str, path: str, body: Any, accepts: int = 0, url: str = "") -> Any:
        timeout, url = aiohttp.ClientTimeout(total=SECONDS), url or self.url
        try:
            async with self.session.request(verb, url + path, json=body, timeout=timeout) as answer:
                if answer.status >= 300 and answer.status != accepts:
                    raise ServiceUnreachable(f"{verb} {path} of the links", url, f"answered: {await answer.text()}")
                return await answer.json() if answer.status in (200, 201) else None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ServiceUnreachable(f"{verb} {path} of the links", url, f"did not answer ({error!r})") from error
