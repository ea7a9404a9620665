"""How a restore of Velero's went, asked of its cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from blackstart.changes.velero_restore import API, COMPLETED, RESTORED, UNDER_WAY
from blackstart.clock import Clock
from blackstart.kube.reading import Kube
from blackstart.probes import _cluster, _restored
from blackstart.probes._restored import Restoring

LOOK_SECONDS = 0.5
BY_ITSELF = {"configmaps": "kube-root-ca.crt", "serviceaccounts": "default"}
"""What every namespace has anyway, by resource."""
A_SECOND = timedelta(seconds=1)
"""Objects tell when they were made in whole seconds."""
TOKEN = "kubernetes.io/service-account-token"
"""Secrets of this type belong to one namespace and are not restored."""


def wait(found: Restoring, limit_seconds: float, clock: Clock) -> tuple[str, float]:
    """The phase in which Velero ended the restore, and how many seconds after its beginning that was seen; one of
    UNDER_WAY if it did not in ``limit_seconds``."""
    while True:
        phase = str(_status(found).get("phase") or "")
        seconds = _restored.since_origin(found, clock) - found.began
        if phase not in UNDER_WAY or seconds >= limit_seconds:
            return phase, seconds
        clock.sleep(LOOK_SECONDS)


def problems(found: Restoring, limit_seconds: float, clock: Clock) -> list[str]:
    """What is wrong, as sentences without their full stop."""
    phase, seconds = wait(found, limit_seconds, clock)
    if phase in UNDER_WAY:
        return [f"Velero has not completed restore {found.change} after {seconds:.0f} s"]
    return [*(_failed(found, phase) if phase != COMPLETED else ()), *_missing(found)]


def _failed(found: Restoring, phase: str) -> Iterable[str]:
    status = _status(found)
    reasons = status.get("validationErrors") or ([f"{status['errors']} errors"] if status.get("errors") else [])
    why = "; ".join(str(reason) for reason in reasons) or str(status.get("failureReason") or "it does not say why")
    yield f"Velero ended restore {found.change} as {phase}: {why}"


def _missing(found: Restoring) -> list[str]:
    source, scratch = str(found.before["source"]), str(found.target["id"])
    taken = datetime.fromisoformat(found.before["taken"])

    async def look(kube: Kube) -> list[str]:
        lacking = []
        for resource in RESTORED:
            plural, _, group = resource.partition(".")
            root = f"/apis/{group}/v1" if group else "/api/v1"
            wanted = _older(await kube.items(f"{root}/namespaces/{source}/{plural}", {}), plural, taken)
            there = {item["metadata"]["name"] for item in await kube.items(f"{root}/namespaces/{scratch}/{plural}", {})}
            lacking += [f"{plural} {name} is not in {scratch}" for name in sorted(wanted - there)]
        return lacking

    return _cluster.ask(str(found.before["context"]), look)


def _older(items: Iterable[Mapping[str, Any]], plural: str, taken: datetime) -> set[str]:
    return {
        item["metadata"]["name"]
        for item in items
        if datetime.fromisoformat(item["metadata"]["creationTimestamp"]) + A_SECOND < taken
        and item["metadata"]["name"] != BY_ITSELF.get(plural)
        and item.get("type") != TOKEN
    }


def _status(found: Restoring) -> Mapping[str, Any]:
    path = f"{API}/namespaces/{found.before['velero']}/restores/{found.change}"

    async def look(kube: Kube) -> Mapping[str, Any]:
        status: Mapping[str, Any] = (await kube.get(path)).get("status") or {}
        return status

    return _cluster.ask(str(found.before["context"]), look)
