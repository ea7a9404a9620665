"""Runs a command in a container, over the WebSocket of the exec subresource.

Frames carry their channel in the first byte: 1 and 2 are the command's output, 3 a Status that says how it ended.
https://kubernetes.io/docs/reference/generated/kubernetes-api (v4.channel.k8s.io; v5 adds closing of the input).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from blackstart.errors import ServiceUnreachable
from blackstart.kube.login import Credentials
from blackstart.kube.wire import SAFE, UNAUTHORIZED, KubeRefused, Wire

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
OUTPUT, ENDED = (1, 2), 3
REASONS = {403: "it is forbidden", 404: "there is no such pod", 400: "the container does not run or does not exist"}
"""What a status means here: the answer that would say it is not at hand when there is no WebSocket."""


@dataclass(frozen=True)
class Executed:
    """``code``: the command's exit code, 0 for success. ``output``: what it wrote to both its outputs, as it came."""

    code: int
    output: str


def run(wire: Wire, path: str, container: str, command: Sequence[str], seconds: float) -> Executed:
    """KubeRefused if the server does not run it, ServiceUnreachable if nobody says within ``seconds`` how it ended."""
    query = [("command", each) for each in command]
    query += [("container", container)] if container else []
    query += [("stdout", "true"), ("stderr", "true")]
    wanted = f"run {' '.join(command)} at {path}"
    target = f"{wire.access.server}{quote(path, SAFE)}?{urlencode(query)}"
    credentials = wire.access.login.credentials()
    try:
        return asyncio.run(_run(wire, target, wanted, credentials, seconds))
    except KubeRefused as error:
        others = wire.access.login.renew(credentials) if error.status == UNAUTHORIZED else None
        if others is None:
            raise
        return asyncio.run(_run(wire, target, wanted, others, seconds))


async def _run(wire: Wire, target: str, wanted: str, credentials: Credentials, seconds: float) -> Executed:
    import aiohttp  # takes longer to load than all else here, and few drills run commands
    from yarl import URL

    trust, secure = wire.access.trust, target.startswith("https:")
    named: dict[str, Any] = {"server_hostname": trust.name} if trust.name else {}  # older versions do not know it
    try:
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession() as session,
            session.ws_connect(
                URL(target, encoded=True),
                protocols=PROTOCOLS,
                headers=credentials.headers,
                proxy=wire.access.proxy or None,
                ssl=trust.context(credentials) if secure else True,
                max_msg_size=0,
                **named,
            ) as socket,
        ):
            return await _heard(socket, wanted)
    except aiohttp.WSServerHandshakeError as error:
        raise KubeRefused(wanted, error.status, REASONS.get(error.status, error.message)) from error
    except TimeoutError as error:
        raise ServiceUnreachable(wanted, wire.cluster, f"did not end within {seconds:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ServiceUnreachable(wanted, wire.cluster, f"did not answer: {error}") from error


async def _heard(socket: Any, wanted: str) -> Executed:
    output = []
    async for message in socket:
        frame = message.data if isinstance(message.data, bytes) else str(message.data).encode()
        if frame[:1] and frame[0] in OUTPUT:
            output.append(frame[1:])
        elif frame[:1] and frame[0] == ENDED:
            return Executed(exit_code(json.loads(frame[1:]), wanted), b"".join(output).decode(errors="replace"))
    raise ConnectionResetError("it ended without a word about how")


def exit_code(status: Mapping[str, Any], wanted: str) -> int:
    """What the Status at the end of a command says; KubeRefused if the command did not run."""
    if status.get("status") == "Success":
        return 0
    causes = (status.get("details") or {}).get("causes") or ()
    codes = [each.get("message") for each in causes if each.get("reason") == "ExitCode"]
    if status.get("reason") == "NonZeroExitCode" and codes:
        return int(codes[0])
    raise KubeRefused(wanted, int(status.get("code") or 500), str(status.get("message") or "it did not run"))
