"""What clients read to learn which resources there are. Pure."""

from __future__ import annotations

from blackstart.lab.kube.objects import Object
from blackstart.lab.kube.resources import Registry, Resource

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2025-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
_FOREIGN: dict[str, Object] = {
    "scale": _SCALE,
    "eviction": {"group": "policy", "version": "v1", "kind": "Eviction"},
    "binding": {"kind": "Binding"},
    "log": {"verbs": ["get"]},
    "exec": {"kind": "PodExecOptions", "verbs": ["create", "get"]},
    "token": {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"},
}
_CREATED = frozenset({"eviction", "binding", "token"})

# group -> (plural, kind) of what can only be asked, not kept
REVIEWS = {
    "authentication.k8s.io": (("tokenreviews", "TokenReview"), ("selfsubjectreviews", "SelfSubjectReview")),
    "authorization.k8s.io": (
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
        ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
        ("subjectaccessreviews", "SubjectAccessReview"),
    ),
}


def core_versions() -> Object:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def groups(registry: Registry) -> Object:
    named = {group: versions for group, versions in registry.groups().items() if group}
    named |= {group: ["v1"] for group in REVIEWS}
    found = [_group(name, versions) for name, versions in named.items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(registry: Registry, name: str) -> Object | None:
    """One API group; None if there is no such group."""
    found = [entry for entry in groups(registry)["groups"] if entry["name"] == name]
    return {"kind": "APIGroup", "apiVersion": "v1"} | found[0] if found else None


def resources(registry: Registry, name: str, version: str) -> Object | None:
    """The resources of one version of a group; None if there is no such version."""
    listed = [entry for resource in registry.served(name, version) for entry in _entries(resource)]
    if version == "v1":
        listed += [_review(plural, kind) for plural, kind in REVIEWS.get(name, ())]
    if not listed:
        return None
    api_version = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": listed}


def _group(name: str, versions: list[str]) -> Object:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _entries(resource: Resource) -> list[Object]:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return [entry, *(_subresource(resource, name) for name in sorted(resource.subresources))]


def _subresource(resource: Resource, name: str) -> Object:
    entry: Object = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": ["create"] if name in _CREATED else ["get", "patch", "update"],
    }
    return entry | _FOREIGN.get(name, {})


def _review(plural: str, kind: str) -> Object:
    return {"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["create"]}
