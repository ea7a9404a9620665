"""Writing to an object of Kubernetes only as it was read: the server refuses if anybody has written to it since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from blackstart.changes.clients import Clients
from blackstart.changes.compare import Wanted
from blackstart.changes.model import Json
from blackstart.errors import NotYet
from blackstart.kube.client import KubeRefused

VERSION = "resourceVersion"
CONFLICT = 409


def version_of(item: Mapping[str, Any]) -> dict[str, Json]:
    """What a read adds to the state, for the write that follows it."""
    return {VERSION: item["metadata"][VERSION]}


def patch_as_seen(
    wanted: Wanted,
    path: str,
    body: Mapping[str, Any],
    clients: Clients,
    kind: Literal["merge", "strategic"] = "merge",
) -> None:
    """Patch the object at ``path`` if it still has the version that was read; else NotYet, so that it is read and
    compared again. ``body`` has no metadata."""
    kube = clients.kube(wanted.change.before["context"])
    try:
        kube.patch(path, {"metadata": {VERSION: wanted.seen[VERSION]}, **body}, kind)
    except KubeRefused as error:
        if error.status == CONFLICT:
            raise NotYet(str(wanted.change.target), "being changed by somebody else") from error
        raise
