"""Who may do what: Roles and their bindings hold for those who come with a token ``group:NAME``, members of that group.

Everybody else is the administrator of the lab, who may do everything. Not known: aggregation, and rules that apply to
URLs instead of resources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from blackstart.lab.kube.request import Query, Route, flag
from blackstart.lab.kube.status import forbidden
from blackstart.lab.kube.store import Store

TOKEN = "Bearer group:"
GROUP = "rbac.authorization.k8s.io"
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

Rule = Mapping[str, Any]


def check(store: Store, authorization: str, method: str, route: Route, query: Query) -> None:
    """ApiError 403 unless a rule allows it to the bearer of the header ``authorization``."""
    if not authorization.startswith(TOKEN):
        return
    group, verb = authorization.removeprefix(TOKEN), _verb(method, route, query)
    if any(_allows(rule, verb, route) for rule in _rules(store, group, route.namespace)):
        return
    resource = _resource(route)
    where = f'in the namespace "{route.namespace}"' if route.namespace else "at the cluster scope"
    why = f'group "{group}" cannot {verb} resource "{resource}" in API group "{route.resource.group}" {where}'
    raise forbidden(route.resource.group, route.resource.plural, route.name, why)


def _verb(method: str, route: Route, query: Query) -> str:
    if method == "GET":
        watched = "watch" if flag(query, "watch") else "list"
        return "get" if route.name else watched
    return "deletecollection" if method == "DELETE" and not route.name else _VERBS.get(method, method.lower())


def _resource(route: Route) -> str:
    return "/".join(filter(None, (route.resource.plural, route.subresource)))


def _rules(store: Store, group: str, namespace: str) -> Iterator[Rule]:
    """What is granted to ``group``: everywhere, and in ``namespace`` if there is one."""
    bindings = [*_objects(store, "clusterrolebindings"), *(_objects(store, "rolebindings", namespace))]
    for binding in bindings:
        if any((each.get("kind"), each.get("name")) == ("Group", group) for each in binding.get("subjects") or ()):
            role = binding["roleRef"]
            there = "" if role["kind"] == "ClusterRole" else namespace
            for found in _objects(store, f"{role['kind'].lower()}s", there):
                if found["metadata"]["name"] == role["name"]:
                    yield from found.get("rules") or ()


def _objects(store: Store, plural: str, namespace: str = "") -> Iterable[Mapping[str, Any]]:
    if plural in ("roles", "rolebindings") and not namespace:
        return []
    return [record.object for record in store.records(f"{plural}.{GROUP}", namespace)]


def _allows(rule: Rule, verb: str, route: Route) -> bool:
    def among(field: str, value: str) -> bool:
        return bool({value, "*"} & set(rule.get(field) or ()))

    names = rule.get("resourceNames") or ()
    return (
        among("verbs", verb)
        and among("apiGroups", route.resource.group)
        and among("resources", _resource(route))
        and (not names or route.name in names)
    )
