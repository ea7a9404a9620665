"""Permissions in the words of those who grant them: IAM policies, and Roles of Kubernetes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from blackstart.access import Aws, Kubernetes, Need

POLICY_CHARACTERS = 6144
"""The most that a managed IAM policy may have, white space not counted."""
HEAD_CHARACTERS = len('{"Version":"2012-10-17","Statement":[]}')
RESOURCES_CHARACTERS = 4000
ROLE = "blackstart"
"""Name of every Role, and of the Kubernetes group that it is bound to."""
RBAC = "rbac.authorization.k8s.io"

Statement = dict[str, Any]


def iam_policies(needs: Iterable[Need]) -> list[dict[str, Any]]:
    """Policies that together allow just ``needs``; several only where one would be longer than IAM takes."""
    policies: list[list[Statement]] = []
    room = 0
    for statement in _statements([need for need in needs if isinstance(need, Aws)]):
        size = len(json.dumps(statement, separators=(",", ":"))) + 1
        if size > room:
            policies.append([])
            room = POLICY_CHARACTERS - HEAD_CHARACTERS
        policies[-1].append(statement)
        room -= size
    return [{"Version": "2012-10-17", "Statement": statements} for statements in policies]


def _statements(needs: Sequence[Aws]) -> Iterator[Statement]:
    """Actions on the same resources under the same condition are one statement."""
    arns: dict[tuple[str, tuple[str, str, str] | None], set[str]] = {}
    for need in needs:
        arns.setdefault((need.action, need.when), set()).update(need.resources)
    together: dict[tuple[tuple[str, ...], tuple[str, str, str] | None], list[str]] = {}
    for (action, when), resources in sorted(arns.items(), key=lambda item: (item[0][0], item[0][1] or ())):
        least = ("*",) if "*" in resources else tuple(sorted(resources))
        together.setdefault((least, when), []).append(action)
    for (narrowed, when), actions in together.items():
        condition = {"Condition": {when[0]: {when[1]: when[2]}}} if when else {}
        for some in _chunks(narrowed):
            yield {"Effect": "Allow", "Action": actions, "Resource": list(some), **condition}


def _chunks(resources: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for resource in resources:
        if chunk and sum(map(len, chunk)) + 3 * len(chunk) + len(resource) > RESOURCES_CHARACTERS:
            yield chunk
            chunk = []
        chunk.append(resource)
    yield chunk


def kubernetes_manifests(needs: Iterable[Need]) -> dict[str, list[dict[str, Any]]]:
    """By cluster: a ClusterRole for what is in no namespace, a Role for each namespace, and their bindings."""
    places: dict[tuple[str, str], list[Kubernetes]] = {}
    for need in needs:
        if isinstance(need, Kubernetes):
            places.setdefault((need.cluster, need.namespace), []).append(need)
    manifests: dict[str, list[dict[str, Any]]] = {}
    for (cluster, namespace), there in sorted(places.items()):
        manifests.setdefault(cluster, []).extend(_role(namespace, there))
    return manifests


def _role(namespace: str, needs: Sequence[Kubernetes]) -> list[dict[str, Any]]:
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": ROLE, **({"namespace": namespace} if namespace else {})}
    version = f"{RBAC}/v1"
    bound = {
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": ROLE},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": ROLE}],
    }
    return [
        {"apiVersion": version, "kind": kind, "metadata": metadata, "rules": _rules(needs)},
        {"apiVersion": version, "kind": f"{kind}Binding", "metadata": dict(metadata), **bound},
    ]


def _rules(needs: Sequence[Kubernetes]) -> list[Mapping[str, Any]]:
    """A verb on all objects makes the same verb on some of them needless."""
    verbs: dict[tuple[str, str, tuple[str, ...]], set[str]] = {}
    for need in sorted(needs, key=lambda each: each.names):
        key = (need.group, need.resource, need.names)
        if need.verb not in verbs.get((need.group, need.resource, ()), ()):
            verbs.setdefault(key, set()).add(need.verb)
    together: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (group, resource, names), allowed in sorted(verbs.items()):
        together.setdefault((group, tuple(sorted(allowed)), names), []).append(resource)
    return [
        {
            "apiGroups": [group],
            "resources": resources,
            "verbs": list(allowed),
            **({"resourceNames": list(names)} if names else {}),
        }
        for (group, allowed, names), resources in together.items()
    ]
