"""What one HTTP request asks for, read from its path and query. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blackstart.lab.kube.resources import Registry, Resource
from blackstart.lab.kube.states import DeleteOptions
from blackstart.lab.kube.status import bad_request, no_such_path
from blackstart.lab.kube.store import Key

Query = Mapping[str, str]

_OF_A_NAMESPACE = frozenset({"status", "finalize"})


@dataclass(frozen=True)
class Route:
    """``name`` is "" for a collection, ``namespace`` "" for all namespaces or none."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)


def parse(registry: Registry, path: str) -> Route:
    """The resource that ``path`` names; ApiError 404 if it names none."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise no_such_path()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and not (group == "" and rest[2] in _OF_A_NAMESPACE):
        namespace, rest = rest[1], rest[2:]
    resource = registry.find(group, version, rest[0])
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced):
        raise no_such_path()
    name, subresource = [*rest[1:], "", ""][:2]
    if name and resource.namespaced and not namespace:
        raise no_such_path()
    if subresource and subresource not in resource.subresources:
        raise no_such_path()
    return Route(resource, namespace, name, subresource)


def flag(query: Query, name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1")


def number(query: Query, name: str) -> int | None:
    """The whole number ``name``; None if it is not given; ApiError 400 if it is something else."""
    text = query.get(name, "")
    if not text:
        return None
    if not text.isdigit():
        raise bad_request(f'unable to decode query: {name} must be a whole number, not "{text}"')
    return int(text)


def dry_run(query: Query, body: object = None) -> bool:
    """Whether nothing is to be stored; ApiError 400 for a value other than All."""
    given = [query["dryRun"]] if query.get("dryRun") else []
    if isinstance(body, dict) and isinstance(body.get("dryRun"), list):
        given += body["dryRun"]
    if any(value != "All" for value in given):
        raise bad_request(f"dryRun must be All, not {given}")
    return bool(given)


def delete_options(query: Query, body: object) -> DeleteOptions:
    """From the body, which wins, and the query; ApiError 400 if a value cannot be used."""
    given = body if isinstance(body, dict) else {}
    grace = given.get("gracePeriodSeconds")
    if grace is None:
        grace = number(query, "gracePeriodSeconds")
    elif isinstance(grace, bool) or not isinstance(grace, int):
        raise bad_request("gracePeriodSeconds must be a whole number")
    orphans = given.get("orphanDependents", query.get("orphanDependents"))
    legacy = "Orphan" if orphans in (True, "true") else "Background"
    propagation = given.get("propagationPolicy") or query.get("propagationPolicy") or legacy
    if propagation not in ("Background", "Foreground", "Orphan"):
        raise bad_request(f"propagationPolicy must be Background, Foreground or Orphan, not {propagation}")
    preconditions = given.get("preconditions") or {}
    return DeleteOptions(grace, propagation, preconditions.get("uid") or "", preconditions.get("resourceVersion") or "")
