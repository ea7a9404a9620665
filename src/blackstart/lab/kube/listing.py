"""Lists: selectors, pages and consistent reads at one version."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass

from blackstart.lab.kube import event_views, selectors
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.objects import Object, labels_of
from blackstart.lab.kube.request import Query, Route, number
from blackstart.lab.kube.resources import Resource
from blackstart.lab.kube.status import bad_request, invalid, too_large
from blackstart.lab.kube.store import Key, Record

Filter = Callable[[Object], bool]


@dataclass(frozen=True)
class Page:
    """``token`` continues the list; ``remaining`` is None when it is not known."""

    records: list[Record]
    version: int
    token: str = ""
    remaining: int | None = None


def chosen(route: Route, query: Query) -> Filter | None:
    """What the selectors of ``query`` let through; None if there are none. ApiError 400 if one is wrong."""
    label, field = query.get("labelSelector", ""), query.get("fieldSelector", "")
    filters: list[Filter] = []
    if route.name:
        filters.append(lambda obj: bool(obj["metadata"]["name"] == route.name))
    if label:
        by_label = selectors.labels(label)
        filters.append(lambda obj: by_label(labels_of(obj)))
    if field:
        if route.resource.group == event_views.GROUP:
            field = event_views.core_fields(field)
        filters.append(selectors.fields(route.resource.store_key, field))
    return (lambda obj: all(check(obj) for check in filters)) if filters else None


def page(cluster: Cluster, route: Route, query: Query) -> Page:
    """The objects that ``query`` asks for, sorted by namespace and name; ApiError 400, 410."""
    wanted = chosen(route, query)
    limit = number(query, "limit")
    version, after = _version(cluster.store.version, query), None
    if token := query.get("continue"):
        version, after = _read_token(token)
    held = _at(cluster, route.resource, version)
    keys = sorted(key for key in held if not route.namespace or key.namespace == route.namespace)
    if after:
        keys = [key for key in keys if key > after]
    found = [(key, held[key]) for key in keys if wanted is None or wanted(held[key].object)]
    if not limit or len(found) <= limit:
        return Page([record for _, record in found], version)
    kept = found[:limit]
    remaining = len(found) - limit if wanted is None else None
    return Page([record for _, record in kept], version, _token(version, kept[-1][0]), remaining)


def _version(current: int, query: Query) -> int:
    """The version to list at; ApiError 400, 422, or 504 for one that is yet to come."""
    wanted, match = number(query, "resourceVersion"), query.get("resourceVersionMatch")
    if match and (match not in ("Exact", "NotOlderThan") or wanted is None or (match == "Exact" and not wanted)):
        why = "Forbidden: resourceVersionMatch needs a resourceVersion that it applies to"
        raise invalid("meta.k8s.io", "ListOptions", "", [("resourceVersionMatch", "FieldValueForbidden", why)])
    if wanted and wanted > current:
        raise too_large(wanted, current)
    return wanted if wanted and match == "Exact" else current


def _at(cluster: Cluster, resource: Resource, version: int) -> dict[Key, Record]:
    return cluster.store.snapshot(resource.store_key, version)


def _token(version: int, last: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, *last]).encode()).decode()


def _read_token(token: str) -> tuple[int, Key]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token))
        return int(version), Key(str(namespace), str(name))
    except (ValueError, TypeError) as error:
        raise bad_request("continue key is not valid") from error
