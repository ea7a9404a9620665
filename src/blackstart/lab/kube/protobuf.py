"""Kubernetes' protobuf request bodies as the objects that JSON would have carried. Pure.

Only reading: every client that writes protobuf also reads JSON.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from blackstart.lab.kube.messages import Field, read
from blackstart.lab.kube.status import bad_request, unsupported_media_type

Object = dict[str, Any]

_MAGIC = b"k8s\x00"
_ADVICE = "the lab's API server reads it from JSON only; send that, for example with `kubectl apply`"
_messages = cache(read)


def decode(body: bytes) -> Object:
    """The object in ``body``; ApiError 400 if it is garbled, 415 if it holds something that is not in ``messages``."""
    if not body.startswith(_MAGIC):
        raise bad_request("the body is not Kubernetes protobuf: it lacks the prefix")
    try:
        outer = dict(_fields(body[len(_MAGIC) :]))
        kind = {number: value.decode() for number, value in _fields(outer[1])}
        obj = {"apiVersion": kind.get(1, ""), "kind": kind.get(2, "")}
        return obj | _message(obj["kind"], outer.get(2, b""))
    except (AttributeError, IndexError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise bad_request(f"the protobuf body cannot be decoded: {type(error).__name__}: {error}") from error


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, whole number or bytes) in the order of the wire."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
            case 2:
                size, at = _varint(data, at)
                if at + size > len(data):
                    raise IndexError("truncated")
                yield tag >> 3, data[at : at + size]
                at += size
            case other:
                raise TypeError(f"wire type {other}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _message(name: str, data: bytes) -> Object:
    known = _messages().get(name)
    if known is None:
        raise unsupported_media_type(f"{name} came as protobuf; {_ADVICE}")
    result: Object = {}
    for number, value in _fields(data):
        field = known.get(number)
        if field is None:
            if value:
                raise unsupported_media_type(f"field {number} of {name} came as protobuf; {_ADVICE}")
        elif field.type != "-":
            _put(result, field, value)
    return result


def _put(result: Object, field: Field, value: Any) -> None:
    match field.mark:
        case "*":
            result.setdefault(field.name, []).append(_value(field.type, value))
        case "%":
            entry: Mapping[int, Any] = dict(_fields(value))
            held = result.setdefault(field.name, {})
            held[entry.get(1, b"").decode()] = _value(field.type, entry.get(2, b""))
        case ".":
            result |= _value(field.type, value)
        case mark:
            read_value = _value(field.type, value)
            # Go writes fields that were never set as empty ones; JSON leaves them out
            unset = read_value in ("", None, {}) or (field.type == "b" and not read_value)
            if not unset or mark == "!":
                result[field.name] = read_value


def _value(kind: str, value: Any) -> Any:
    match kind:
        case "s":
            return value.decode()
        case "i":
            return value - (1 << 64) if value >> 63 else value
        case "b" | "B":
            return bool(value)
        case "x":
            return base64.b64encode(value).decode()
        case "t" | "u":
            return _time(dict(_fields(value)), "seconds" if kind == "t" else "microseconds")
        case "q":
            return dict(_fields(value)).get(1, b"").decode()
        case "p":
            parts = dict(_fields(value))
            return parts.get(3, b"").decode() if parts.get(1) else parts.get(2, 0)
        case message:
            return _message(message, value)


def _time(parts: Mapping[int, int], precision: str) -> str | None:
    if not parts.get(1):
        return None
    moment = datetime.fromtimestamp(parts[1], UTC).replace(microsecond=parts.get(2, 0) // 1000)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
