"""How stored objects are written into answers: as themselves, as lists, and as tables."""

from __future__ import annotations

from typing import Any

from blackstart.lab.kube import event_views
from blackstart.lab.kube.columns import definitions, row
from blackstart.lab.kube.objects import Object
from blackstart.lab.kube.resources import Resource
from blackstart.lab.kube.store import Record, encode


def wants_table(accept: str) -> bool:
    return "as=Table" in accept


def one(resource: Resource, record: Record) -> bytes:
    """A single object, in the version of ``resource``."""
    if record.object.get("apiVersion") == resource.api_version:
        return record.encoded()
    if resource.api_version == event_views.API_VERSION:
        return encode(event_views.view(record.object))
    return encode(record.object | {"apiVersion": resource.api_version})


def wants_metadata(accept: str) -> bool:
    return "as=PartialObjectMetadata" in accept


def asked_for(resource: Resource, record: Record, accept: str) -> bytes:
    """A single object, or its metadata, as ``accept`` says."""
    return encode(_partial(record)) if wants_metadata(accept) else one(resource, record)


def partial_list(records: list[Record], metadata: Object) -> Object:
    """A list of metadata only."""
    head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return head | {"items": [_partial(record) for record in records]}


def _partial(record: Record) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": record.object["metadata"]}


def many(resource: Resource, records: list[Record], metadata: Object) -> bytes:
    """A list object."""
    head = encode({"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata})
    return head[:-1] + b',"items":[' + b",".join(one(resource, record) for record in records) + b"]}"


def table(resource: Resource, records: list[Record], metadata: Object, *, now: str, include: str, head: bool) -> Object:
    """A Table; ``include`` is None, Metadata or Object; ``head`` tells whether to describe the columns."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions(resource) if head else None,
        "rows": [_row(resource, record, now, include) for record in records],
    }


def _row(resource: Resource, record: Record, now: str, include: str) -> Object:
    made: dict[str, Any] = {"cells": row(resource, record.object, now)}
    if include == "Object":
        made["object"] = record.object
    elif include != "None":
        made["object"] = _partial(record)
    return made
