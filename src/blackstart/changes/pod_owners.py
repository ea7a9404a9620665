"""Whose pods are: the controllers that bring pods back, and the workloads behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.changes.model import Json
from blackstart.errors import ConfigInvalid, Refused
from blackstart.kube.client import Kube

DEPLOYMENT = "Deployment"
HEALERS = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
"""The controllers that replace a pod that is gone, and how the API calls them."""
WORKLOADS = {DEPLOYMENT: "deployments", **HEALERS}
HASH_LABEL = "pod-template-hash"


def controller(item: Json) -> tuple[str, str] | None:
    """Kind and name of the controller of an object; None if it has none."""
    for owner in item["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return owner["kind"], owner["name"]
    return None


def workload(owner: tuple[str, str] | None, labels: Mapping[str, str]) -> tuple[str, str]:
    """Kind and name of what a pod belongs to: its controller, or the Deployment behind that. Pure.

    A ReplicaSet of a Deployment is named as that, with the hash that its pods carry as a label (Kubernetes
    documentation, Deployments), so that the pods of both sides of a roll-out are known to be of one workload.
    """
    kind, name = owner or ("", "")
    of_template = "-" + labels.get(HASH_LABEL, "")
    if kind == "ReplicaSet" and len(of_template) > 1 and name.endswith(of_template):
        return DEPLOYMENT, name.removesuffix(of_template)
    return kind, name


def path(namespace: str, kind: str, name: str = "") -> str:
    """Where the API has workloads of this ``kind``, one of ``WORKLOADS``."""
    return f"/apis/apps/v1/namespaces/{namespace}/{WORKLOADS[kind]}" + (f"/{name}" if name else "")


def selector_text(selector: Mapping[str, Any]) -> str:
    """A LabelSelector in the form that a list request takes."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or ():
        key, values = rule["key"], ",".join(rule.get("values") or ())
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[rule["operator"]]
        )
    return ",".join(parts)


@dataclass(frozen=True)
class Owner:
    """A workload whose pods are meant. ``selector``: of its pods. ``controllers``: kind and name of those that own
    pods for it: itself, or the ReplicaSets of a Deployment."""

    kind: str
    name: str
    selector: str
    controllers: frozenset[tuple[str, str]]

    def owns(self, owner: tuple[str, str] | None, labels: Mapping[str, str]) -> bool:
        """Whether a pod with this controller and these labels is one of its."""
        return owner in self.controllers or workload(owner, labels) == (self.kind, self.name)


def find_owner(kube: Kube, namespace: str, text: str) -> Owner:
    """The workload called ``text`` ("Deployment/orders"). Read-only.

    ConfigInvalid if that is none that brings pods back; Refused if there is no such workload.
    """
    kind, _, name = text.partition("/")
    if kind not in WORKLOADS or not name:
        problem = f"{text!r} is not a kind and a name such as Deployment/orders; kinds are {', '.join(WORKLOADS)}"
        raise ConfigInvalid("pods", "owner", problem)
    if not namespace:
        raise ConfigInvalid("pods", "owner", f"{text} is in a namespace, so say which one")
    found = kube.find(path(namespace, kind, name))
    if found is None:
        raise Refused(f"choosing pods of {text}", f"there is no {kind} {name} in {namespace}")
    selector = selector_text(found["spec"]["selector"])
    controllers = {(kind, name)}
    if kind == DEPLOYMENT:  # it may have adopted ReplicaSets with other names
        sets = kube.items(path(namespace, "ReplicaSet"), labelSelector=selector)
        controllers = {("ReplicaSet", item["metadata"]["name"]) for item in sets if controller(item) == (kind, name)}
    return Owner(kind, name, selector, frozenset(controllers))
