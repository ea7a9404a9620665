"""``pods/exec`` over WebSocket: the kubelet runs the command, and its streams go back to the client.

Every message begins with the number of its channel: 1 stdout, 2 stderr, 3 the ``Status`` that says how it ended.
Commands of the lab end at once and read nothing, so what a client sends is not read.
Source: k8s.io/apimachinery/pkg/util/remotecommand/constants.go.
"""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp import web

from blackstart.errors import ServiceUnreachable
from blackstart.lab.kube import kubelets, rbac
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.objects import Object
from blackstart.lab.kube.request import Route, flag
from blackstart.lab.kube.status import ApiError, bad_request
from blackstart.lab.kube.store import Key, encode

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDOUT, STDERR, STATUS = b"\x01", b"\x02", b"\x03"
_GOODBYE_SECONDS = 1.0
_DEFAULT = "kubectl.kubernetes.io/default-container"


async def answer(cluster: Cluster, request: web.BaseRequest, route: Route) -> web.StreamResponse:
    """Run what the query says; ApiError 400, 403, 404 or 500 before the connection is upgraded."""
    # the upgrade is a GET, but runs something
    rbac.check(cluster.store, request.headers.get("Authorization", ""), "POST", route, request.query)
    pod = cluster.get(route.resource, route.key).object
    container = _container(pod, request.query.get("container", ""))
    command = request.query.getall("command", [])
    if not command:
        raise bad_request("you must specify at least 1 command for the container")
    socket = web.WebSocketResponse(protocols=PROTOCOLS, timeout=_GOODBYE_SECONDS)
    if request.method != "GET" or not (offered := socket.can_prepare(request)).ok:
        raise bad_request("Upgrade request required")
    if offered.protocol is None:
        raise bad_request(f"unable to upgrade: this server speaks {' and '.join(PROTOCOLS)}")
    done = await _run(cluster, pod, container, command)
    await socket.prepare(request)
    try:
        for channel, name, text in ((STDOUT, "stdout", "output"), (STDERR, "stderr", "errors")):
            if flag(request.query, name):
                await socket.send_bytes(channel + str(done[text]).encode())
        await socket.send_bytes(STATUS + encode(status(int(done["code"]))))
        await socket.close()
    except ConnectionError:
        # the client did not wait for the end
        return socket
    return socket


def status(code: int) -> Object:
    """How a command that ended with ``code`` is told. Pure."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _container(pod: Object, wanted: str) -> str:
    names = [container["name"] for container in pod["spec"]["containers"]]
    name = pod["metadata"]["name"]
    wanted = wanted or str((pod["metadata"].get("annotations") or {}).get(_DEFAULT, ""))
    if not wanted and len(names) > 1:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")
    if wanted and wanted not in names:
        raise bad_request(f"container {wanted} is not valid for pod {name}")
    return wanted or str(names[0])


async def _run(cluster: Cluster, pod: Object, container: str, command: list[str]) -> dict[str, Any]:
    metadata = pod["metadata"]
    node = pod["spec"].get("nodeName")
    if not node:
        raise bad_request(f"pod {metadata['name']} does not have a host assigned")
    record = cluster.store.get("nodes.", Key("", node))
    kubelet = kubelets.address(record.object) if record else ""
    if not kubelet:
        raise _failed(f"error dialing backend: no kubelet is known for node {node}")
    url = f"{kubelet}/exec/{metadata['namespace']}/{metadata['name']}/{container}"
    try:
        async with aiohttp.ClientSession() as session:
            code, body = await kubelets.ask(session, "POST", url, [("command", word) for word in command])
    except ServiceUnreachable as error:
        raise _failed(f"error dialing backend: {error}") from error
    if code == 404:
        raise _failed(f"unable to upgrade connection: {body.get('error')}")
    if code != 200:
        raise _failed(f"error dialing backend: {body.get('error')}")
    return body


def _failed(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}")
