"""Objects that every cluster admits, also one that enforces the restricted pod security standard."""

from typing import Any

_CONTAINER = {
    "image": "registry.invalid/conformance:1",
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "10m", "memory": "10Mi"}},
}


def pod(name: str, labels: Any = None, **spec: Any) -> Any:
    """A pod that no scheduler takes, unless ``spec`` says otherwise."""
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": _pod_spec(**spec)}


def _pod_spec(**spec: Any) -> Any:
    usual = {
        "schedulerName": "nobody",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_CONTAINER | {"name": "app"}],
    }
    return usual | spec


def container(name: str) -> Any:
    return _CONTAINER | {"name": name}


def deployment(name: str, replicas: int = 2, **spec: Any) -> Any:
    """Also the body of a ReplicaSet; a StatefulSet needs ``serviceName``."""
    template = {"metadata": {"labels": {"app": name}}, "spec": _pod_spec()}
    selector = {"matchLabels": {"app": name}}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": selector, "template": template} | spec,
    }


def budget(name: str, app: str, **spec: Any) -> Any:
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": app}}} | spec}


def names(found: Any) -> list[str]:
    return [item["metadata"]["name"] for item in found["items"]]
