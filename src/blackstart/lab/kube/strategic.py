"""Strategic merge patch: like a merge patch, but lists of objects merge by key. Pure.

Keys and directives as in the Kubernetes documentation, "Update API Objects in Place Using kubectl patch".
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from blackstart.lab.kube.status import bad_request

_MERGE_KEYS: Mapping[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "secrets": "name",
    "resourceClaims": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "conditions": "type",
    "addresses": "type",
    "ownerReferences": "uid",
    "hostAliases": "ip",
    "podIPs": "ip",
    "topologySpreadConstraints": "topologyKey",
}
_MERGED_SETS = frozenset({"finalizers", "podCIDRs"})
_DELETE_VALUES = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge(original: Any, patch: Any) -> Any:
    """``original`` with ``patch`` merged in; ApiError 400 if the patch is malformed."""
    if not isinstance(patch, Mapping):
        raise bad_request("a strategic merge patch must be an object")
    return _merged(original if isinstance(original, Mapping) else {}, patch)


def _merged(original: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    directive = patch.get("$patch")
    if directive == "delete":
        return {}
    if directive == "replace":
        return _merged({}, {key: value for key, value in patch.items() if key != "$patch"})
    result = dict(original)
    if "$retainKeys" in patch:
        result = {key: value for key, value in result.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith(_DELETE_VALUES):
            name = key.removeprefix(_DELETE_VALUES)
            result[name] = [item for item in result.get(name) or () if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            held = result.get(key)
            result[key] = _merged(held if isinstance(held, Mapping) else {}, value)
        elif isinstance(value, list):
            result[key] = _list(key, result.get(key) or [], value)
        else:
            result[key] = value
    for key, order in patch.items():
        name = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and isinstance(result.get(name), list):
            result[name] = _ordered(name, result[name], order)
    return result


def _list(name: str, held: list[Any], patch: list[Any]) -> list[Any]:
    if name in _MERGED_SETS:
        return [*held, *(item for item in patch if item not in held)]
    key = _merge_key(name, [*patch, *held])
    replaces = any(isinstance(item, Mapping) and item.get("$patch") == "replace" for item in patch)
    if key is None or replaces:
        return [_clean(item) for item in patch if not (isinstance(item, Mapping) and item.get("$patch") == "replace")]
    result = list(held)
    for item in patch:
        if not isinstance(item, Mapping) or key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        place = next((i for i, other in enumerate(result) if other.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            result = [other for other in result if other.get(key) != item[key]]
        elif place is None:
            result.append(_merged({}, item))
        else:
            result[place] = _merged(result[place], item)
    return result


def _merge_key(name: str, items: list[Any]) -> str | None:
    if not all(isinstance(item, Mapping) for item in items):
        return None
    if name == "ports":
        return "containerPort" if any("containerPort" in item for item in items) else "port"
    return _MERGE_KEYS.get(name)


def _ordered(name: str, items: list[Any], order: list[Any]) -> list[Any]:
    key = _merge_key(name, items)
    wanted = [item[key] if isinstance(item, Mapping) else item for item in order] if key else list(order)

    def place(item: Any) -> int:
        value = item[key] if key and isinstance(item, Mapping) else item
        return wanted.index(value) if value in wanted else len(wanted)

    return sorted(items, key=place)


def _clean(value: Any) -> Any:
    """``value`` without directives and nulls inside objects."""
    return _merged({}, value) if isinstance(value, Mapping) else copy.deepcopy(value)
