"""Errors as Kubernetes clients know them: an HTTP code and a ``Status`` object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from blackstart.errors import BlackstartError


@dataclass(eq=False)
class ApiError(BlackstartError):
    """A request cannot be served; ``reason`` is the word that clients compare, ``code`` the HTTP status."""

    code: int
    reason: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    retry_after: int | None = None

    def __str__(self) -> str:
        return self.message

    def to_status(self) -> dict[str, Any]:
        """The ``Status`` object of this error."""
        details = dict(self.details)
        if self.retry_after is not None:
            details["retryAfterSeconds"] = self.retry_after
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": details,
            "code": self.code,
        }


def success(name: str, group: str, plural: str, uid: str) -> dict[str, Any]:
    """The ``Status`` object that a finished deletion answers."""
    details = {"name": name, "kind": plural, "uid": uid} | ({"group": group} if group else {})
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _qualified(group: str, plural: str) -> str:
    return f"{plural}.{group}" if group else plural


def _details(group: str, plural: str, name: str) -> dict[str, Any]:
    return {"name": name, "kind": plural} | ({"group": group} if group else {})


def not_found(group: str, plural: str, name: str) -> ApiError:
    message = f'{_qualified(group, plural)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(group, plural, name))


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(group: str, plural: str, name: str) -> ApiError:
    message = f'{_qualified(group, plural)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str = "") -> ApiError:
    """``why`` replaces the usual reason, that the object was modified since it was read."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {_qualified(group, plural)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(group, plural, name))


def invalid(group: str, kind: str, name: str, causes: Iterable[tuple[str, str, str]]) -> ApiError:
    """``causes`` are (field, reason, message), for example ("spec.replicas", "FieldValueInvalid", "must be …")."""
    listed = list(causes)
    text = ", ".join(f"{where}: {message}" for where, _, message in listed)
    if len(listed) > 1:
        text = f"[{text}]"
    details = _details(group, kind, name)
    details["causes"] = [{"field": where, "reason": reason, "message": message} for where, reason, message in listed]
    return ApiError(422, "Invalid", f'{_qualified(group, kind)} "{name}" is invalid: {text}', details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def forbidden(group: str, plural: str, name: str, why: str, cause: str = "") -> ApiError:
    """``cause`` is a machine-readable word such as NamespaceTerminating."""
    details = _details(group, plural, name)
    if cause:
        details["causes"] = [{"reason": cause, "message": why}]
    return ApiError(403, "Forbidden", f'{_qualified(group, plural)} "{name}" is forbidden: {why}', details)


def too_large(wanted: int, current: int) -> ApiError:
    """The version ``wanted`` has not happened yet; it may be tried again."""
    details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(504, "Timeout", message, details, retry_after=1)


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unsupported_media_type(message: str) -> ApiError:
    return ApiError(415, "UnsupportedMediaType", message)
