"""What the Kubernetes API of one region holds, and what of it moves by itself (see ``world``)."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

# 1. versions, times; 6. what the cluster derives
LEFT_OUT = {"resourceVersion", "generation", "managedFields", "creationTimestamp", "observedGeneration", "status"}
LEFT_OUT |= {"deployment.kubernetes.io/revision"}  # 8. the history of roll-outs
DERIVED = {"events", "leases", "endpoints", "endpointslices", "pods", "nodes"}
DERIVED |= {"backups"}  # 9. backups
CAPACITY = "eks.amazonaws.com/capacityType"
OWN_TO_A_NODE = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")


def dump(environ: Mapping[str, str], region: str) -> dict[str, Any]:
    """Every object of every kind that the API offers: by kind, then by namespace and name."""
    config = yaml.safe_load(Path(environ["KUBECONFIG"]).read_text())
    servers = {each["name"]: each["cluster"]["server"] for each in config["clusters"]}
    server = servers[f"shop-{region}"]
    found: dict[str, Any] = {}
    for path, resource in _resources(server):
        if resource not in DERIVED:
            found[resource] = {_name(item): _settled(item) for item in _get(server, path)["items"] if not _past(item)}
    found["pods"] = _pods(_get(server, "/api/v1/pods")["items"])
    found["nodes"] = _nodes(_get(server, "/api/v1/nodes")["items"])
    return found


def _resources(server: str) -> Iterator[tuple[str, str]]:
    """Path and plural of each kind that can be listed."""
    groups = [group["preferredVersion"]["groupVersion"] for group in _get(server, "/apis")["groups"]]
    for path in ("/api/v1", *(f"/apis/{version}" for version in groups)):
        for resource in _get(server, path)["resources"]:
            if "list" in resource["verbs"] and "/" not in resource["name"]:
                yield f"{path}/{resource['name']}", resource["name"]


def _get(server: str, path: str) -> Any:
    with urllib.request.urlopen(f"{server}{path}", timeout=10) as answer:
        return json.load(answer)


def _past(item: dict[str, Any]) -> bool:
    """8. A ReplicaSet that a Deployment keeps for its history."""
    return bool(item["metadata"].get("ownerReferences")) and item.get("spec", {}).get("replicas") == 0


def _name(item: dict[str, Any]) -> str:
    return "/".join(filter(None, (item["metadata"].get("namespace"), item["metadata"]["name"])))


def _settled(value: Any) -> Any:
    """Without what moves by itself, and without empty fields: no taints and an empty list of taints are the same."""
    if isinstance(value, dict):
        kept = {key: _settled(each) for key, each in value.items() if key not in LEFT_OUT}
        return {key: each for key, each in kept.items() if each not in ({}, [], None)}
    return [_settled(each) for each in value] if isinstance(value, list) else value


def _pods(items: list[dict[str, Any]]) -> dict[str, int]:
    """How many of each workload are in which state; one that is being deleted is on its way out."""
    return dict(Counter(_pod(item) for item in items))


def _pod(item: dict[str, Any]) -> str:
    meta = item["metadata"]
    owners = ", ".join(f"{owner['kind']} {owner['name']}" for owner in meta.get("ownerReferences", []))
    state = "ending" if "deletionTimestamp" in meta else "ready" if is_ready(item) else item["status"].get("phase")
    labels = {key: text for key, text in meta.get("labels", {}).items() if key != "pod-template-hash"}
    return f"{owners or meta['name']} {json.dumps(labels, sort_keys=True)}: {state}"


def _nodes(items: list[dict[str, Any]]) -> dict[str, Any]:
    """On-demand nodes by name; spot nodes that are alike under one name, and how many these are."""
    found: dict[str, Any] = {}
    for item in items:
        meta, spec, name = item["metadata"], dict(item["spec"]), item["metadata"]["name"]
        labels = dict(meta.get("labels", {}))
        if labels.get(CAPACITY) == "SPOT":
            spec.pop("providerID", None)
            labels = {key: text for key, text in labels.items() if key not in OWN_TO_A_NODE}
            name = f"spot {json.dumps([labels, _settled(spec), is_ready(item)], sort_keys=True)}"
        like = {"labels": labels, "spec": _settled(spec), "ready": is_ready(item), "count": 0}
        found.setdefault(name, like)["count"] += 1
    return found


def counted(nodes: Mapping[str, Any]) -> dict[str, int]:
    """How many nodes each node group has that are ready, or not."""
    found: Counter[str] = Counter()
    for node in nodes.values():
        state = "ready" if node["ready"] else "not ready"
        found[f"{node['labels'].get('eks.amazonaws.com/nodegroup', '')}: {state}"] += node["count"]
    return dict(found)


def is_ready(thing: dict[str, Any]) -> bool:
    conditions = thing.get("status", {}).get("conditions", [])
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
