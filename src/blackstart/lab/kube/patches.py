"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386). Pure: the original is never changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from blackstart.lab.kube.status import ApiError, bad_request


def merge_patch(original: Any, patch: Any) -> Any:
    """``original`` with ``patch`` merged in: null deletes, lists replace."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(original) if isinstance(original, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(original: Any, operations: Any) -> Any:
    """``original`` after ``operations``; ApiError 400 if they are malformed, 422 if one does not apply."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch must be a list of operations")
    result = copy.deepcopy(original)
    for operation in operations:
        if not isinstance(operation, Mapping) or "op" not in operation or "path" not in operation:
            raise bad_request("a JSON patch operation must have op and path")
        try:
            result = _applied(result, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise _rejected(operation) from error
    return result


def _applied(document: Any, operation: Mapping[str, Any]) -> Any:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            return _add(document, path, copy.deepcopy(operation["value"]))
        case "replace":
            _at(document, path)
            return (
                _add(_removed(document, path), path, copy.deepcopy(operation["value"])) if path else operation["value"]
            )
        case "remove":
            return _removed(document, path)
        case "move":
            source = _pointer(operation["from"])
            value = _at(document, source)
            return _add(_removed(document, source), path, value)
        case "copy":
            return _add(document, path, copy.deepcopy(_at(document, _pointer(operation["from"]))))
        case "test":
            if _at(document, path) != operation.get("value"):
                raise ValueError(operation["path"])
            return document
        case unknown:
            raise bad_request(f"{unknown} is not a JSON patch operation")


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(text)
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _at(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[_index(part, len(document) - 1)] if isinstance(document, list) else document[part]
    return document


def _index(part: str, last: int) -> int:
    number = int(part)
    if not 0 <= number <= last:
        raise IndexError(part)
    return number


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _at(document, path[:-1])
    if isinstance(parent, list):
        parent.insert(len(parent) if path[-1] == "-" else _index(path[-1], len(parent)), value)
    elif isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        raise TypeError(path[-1])
    return document


def _removed(document: Any, path: list[str]) -> Any:
    parent = _at(document, path[:-1])
    if isinstance(parent, list):
        del parent[_index(path[-1], len(parent) - 1)]
    else:
        del parent[path[-1]]
    return document


def _rejected(operation: Mapping[str, Any]) -> ApiError:
    message = "the server rejected our request due to an error in our request: "
    return ApiError(422, "Invalid", message + f"{operation['op']} {operation['path']} does not apply")
