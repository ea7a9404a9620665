"""How the API server reaches the kubelets: at the address and port that their nodes report, in plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp

from blackstart.errors import ServiceUnreachable
from blackstart.lab.kube.objects import Object
from blackstart.lab.kube.store import Store

CALL_SECONDS = 5.0


def address(node: Mapping[str, Any]) -> str:
    """The base URL of a node's kubelet; "" if the node does not tell of one."""
    status = node.get("status") or {}
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
    hosts = {known["type"]: known["address"] for known in status.get("addresses") or ()}
    return f"http://{hosts['InternalIP']}:{port}" if port and "InternalIP" in hosts else ""


def addresses(store: Store) -> Iterator[str]:
    """Every kubelet's, once."""
    yield from dict.fromkeys(filter(None, (address(record.object) for record in store.records("nodes."))))


async def ask(session: aiohttp.ClientSession, verb: str, url: str, query: list[tuple[str, str]]) -> tuple[int, Object]:
    """Status and body of a kubelet's answer; ServiceUnreachable if there is none."""
    try:
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
        async with session.request(verb, url, params=query, timeout=timeout) as answer:
            body = await answer.json()
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise ServiceUnreachable("ask a kubelet", url, f"did not answer ({error!r})") from error
    return answer.status, dict(body)
