"""Resource quotas, as far as they limit how many pods a namespace may have."""

from __future__ import annotations

from blackstart.lab.kube.resources import Resource
from blackstart.lab.kube.status import forbidden
from blackstart.lab.kube.store import Store

_PODS = ("pods", "count/pods")
_OVER = ("Succeeded", "Failed")


def check(store: Store, resource: Resource, namespace: str, name: str) -> None:
    """ApiError 403 if another object of ``resource`` in ``namespace`` would go past a quota."""
    if resource.store_key != "pods.":
        return
    for record in store.records("resourcequotas.", namespace):
        hard = (record.object.get("spec") or {}).get("hard") or {}
        for limit in (str(hard[key]) for key in _PODS if key in hard):
            used = sum(_counts(pod.object) for pod in store.records("pods.", namespace))
            if limit.isdigit() and used + 1 > int(limit):
                quota = record.object["metadata"]["name"]
                why = f"exceeded quota: {quota}, requested: pods=1, used: pods={used}, limited: pods={limit}"
                raise forbidden("", "pods", name, why)


def _counts(pod: dict[str, object]) -> bool:
    status = pod.get("status")
    return not isinstance(status, dict) or status.get("phase") not in _OVER
