"""Label and field selectors. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from blackstart.lab.kube.status import bad_request

Labels = Mapping[str, str]
Matcher = Callable[[Labels], bool]

_SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<how>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s!=,()]+)\s*(?P<how>==|=|!=)\s*(?P<value>[^\s!=,()]*)$")
_EXISTS = re.compile(r"^(?P<absent>!\s*)?(?P<key>[^\s!=,()]+)$")
_COMMA = re.compile(r",(?![^()]*\))")

_POD_FIELDS = frozenset(
    {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    }
)
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVENT_FIELDS = frozenset({f"involvedObject.{field}" for field in _INVOLVED})
_FIELDS: Mapping[str, frozenset[str]] = {
    "pods.": _POD_FIELDS,
    "nodes.": frozenset({"spec.unschedulable"}),
    "namespaces.": frozenset({"status.phase"}),
    "secrets.": frozenset({"type"}),
    "services.": frozenset({"spec.clusterIP", "spec.type"}),
    "replicasets.apps": frozenset({"status.replicas"}),
    "jobs.batch": frozenset({"status.successful"}),
    "events.": _EVENT_FIELDS | {"reason", "reportingComponent", "source", "type"},
}
_BOOLEANS = frozenset({"spec.unschedulable", "spec.hostNetwork"})


def labels(text: str) -> Matcher:
    """A matcher for ``app=orders,zone in (a,b),!canary``; ApiError 400 if it cannot be parsed."""
    tests = [_requirement(part.strip()) for part in _COMMA.split(text) if part.strip()]
    return lambda found: all(test(found) for test in tests)


def label_selector(selector: Mapping[str, Any] | None) -> Matcher:
    """A matcher for a LabelSelector object: None matches nothing, {} everything; ApiError 400 if it is wrong."""
    if selector is None:
        return lambda _: False
    tests = [_equal(key, value) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        tests.append(expressed(expression))
    return lambda found: all(test(found) for test in tests)


def expressed(expression: Mapping[str, Any]) -> Matcher:
    """A matcher for {"key", "operator": In|NotIn|Exists|DoesNotExist|Gt|Lt, "values"}; ApiError 400 if wrong."""
    key, operator, values = expression["key"], expression["operator"], frozenset(expression.get("values") or ())
    match operator:
        case "In":
            return lambda found: found.get(key) in values
        case "NotIn":
            return lambda found: found.get(key) not in values
        case "Exists":
            return lambda found: key in found
        case "DoesNotExist":
            return lambda found: key not in found
        case "Gt" | "Lt":
            return _compared(key, operator, next(iter(values), ""))
        case _:
            raise bad_request(f'"{operator}" is not a valid label selector operator')


def fields(resource: str, text: str, custom: frozenset[str] = frozenset()) -> Callable[[Mapping[str, Any]], bool]:
    """A matcher for ``status.phase!=Running,spec.nodeName=n``; ApiError 400 for a field that has no index."""
    allowed = _FIELDS.get(resource, frozenset()) | custom | {"metadata.name", "metadata.namespace"}
    tests: list[tuple[str, bool, str]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = re.match(r"^([^=!]+?)\s*(==|=|!=)\s*(.*)$", part)
        if not found:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        if found[1] not in allowed:
            raise bad_request(f"field label not supported: {found[1]}")
        tests.append((found[1], found[2] != "!=", found[3]))
    return lambda obj: all((value_at(obj, path) == value) is wanted for path, wanted, value in tests)


def value_at(obj: Mapping[str, Any], path: str) -> str:
    """The text that a field selector compares: "" for what is not there, true or false for booleans."""
    at: Any = obj
    if path == "source" and isinstance(obj.get("source"), Mapping):
        path = "source.component"
    for part in path.split("."):
        at = at.get(part) if isinstance(at, Mapping) else None
    if at is None:
        return "false" if path in _BOOLEANS else ""
    return str(at).lower() if isinstance(at, bool) else str(at)


def to_text(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector object as the text that ``labels`` reads."""
    selector = selector or {}
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(expression.get("values") or ())
        forms = {"Exists": key, "DoesNotExist": f"!{key}", "In": f"{key} in ({values})"}
        parts.append(forms.get(expression["operator"], f"{key} notin ({values})"))
    return ",".join(parts)


def _requirement(text: str) -> Matcher:
    if found := _SET.match(text):
        values = [value.strip() for value in found["values"].split(",")]
        how = "In" if found["how"] == "in" else "NotIn"
        return expressed({"key": found["key"], "operator": how, "values": values})
    if found := _EQUAL.match(text):
        key, value = found["key"], found["value"]
        return _equal(key, value) if found["how"] != "!=" else lambda labelled: labelled.get(key) != value
    if found := _EXISTS.match(text):
        return expressed({"key": found["key"], "operator": "DoesNotExist" if found["absent"] else "Exists"})
    raise bad_request(f'unable to parse requirement: found "{text}"')


def _equal(key: str, value: str) -> Matcher:
    return lambda found: found.get(key) == value


def _compared(key: str, operator: str, bound: str) -> Matcher:
    def test(found: Labels) -> bool:
        value = found.get(key, "")
        if not (value.lstrip("-").isdigit() and bound.lstrip("-").isdigit()):
            return False
        return int(value) > int(bound) if operator == "Gt" else int(value) < int(bound)

    return test
