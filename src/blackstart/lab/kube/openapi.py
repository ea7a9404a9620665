"""OpenAPI documents with just what kubectl looks for: that every PATCH takes ``fieldValidation``.

With that, kubectl leaves validation to the server and asks for no schema of a kind; the schemas here are open ones.
"""

from __future__ import annotations

from blackstart.lab.kube.objects import Object
from blackstart.lab.kube.resources import Registry, Resource

_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")


def index(registry: Registry) -> Object:
    """The list of documents, one a group and version."""
    paths = {}
    for group, versions in registry.groups().items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}"}
    return {"paths": paths}


def document(registry: Registry, group: str, version: str) -> Object | None:
    """The document of one version of a group; None if there is no such version."""
    served = registry.served(group, version)
    if not served:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.32.0"},
        "paths": {_path(resource): _operations(resource) for resource in served},
        "components": {"schemas": {_schema_name(resource): _schema(resource) for resource in served}},
    }


def swagger() -> Object:
    """The version 2 document, for clients that insist on one: no definitions."""
    return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.32.0"}, "paths": {}, "definitions": {}}


def _path(resource: Resource) -> str:
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    middle = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"{root}{middle}/{resource.plural}/{{name}}"


def _kind(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _operations(resource: Resource) -> Object:
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in _PARAMETERS]
    patch = {
        "operationId": f"patch{resource.kind}",
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _kind(resource),
    }
    return {"patch": patch}


def _schema_name(resource: Resource) -> str:
    group = resource.group.replace(".", "-") or "core"
    return f"blackstart.{group}.{resource.version}.{resource.kind}"


def _schema(resource: Resource) -> Object:
    return {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "x-kubernetes-group-version-kind": [_kind(resource)],
    }
