"""Small readings of Kubernetes objects, and the words of time and names. Pure but for the generator it is given."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from blackstart.lab.kube.store import Key

Object = dict[str, Any]

# no vowels and no digits that look like letters, so that no word appears by accident
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def key_of(obj: Mapping[str, Any]) -> Key:
    return Key(obj["metadata"].get("namespace") or "", obj["metadata"]["name"])


def without_nulls(value: Any) -> Any:
    """``value`` without what is null inside objects: a real API server reads that as not given."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def controller_of(obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The owner reference of the controller that manages ``obj``."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def owner_reference(owner: Mapping[str, Any]) -> Object:
    """The reference that makes ``owner`` the controller of an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The status condition of type ``kind``; {} if there is none."""
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found.get("type") == kind:
            return dict(found)
    return {}


def with_condition(conditions: Iterable[Mapping[str, Any]] | None, new: Mapping[str, Any], now: str) -> list[Object]:
    """``conditions`` with ``new`` in place of the one of its type; lastTransitionTime moves if its status does."""
    kept = [dict(held) for held in conditions or ()]
    for held in kept:
        if held["type"] == new["type"]:
            moved = held.get("status") != new["status"]
            held.update(new)
            if moved or "lastTransitionTime" not in held:
                held["lastTransitionTime"] = now
            return kept
    return [*kept, {"lastTransitionTime": now} | dict(new)]


def is_ready(obj: Mapping[str, Any]) -> bool:
    return bool(condition(obj, "Ready").get("status") == "True")


def is_active(pod: Mapping[str, Any]) -> bool:
    """Whether a pod counts for its controller: neither finished nor on its way out."""
    finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not finished and "deletionTimestamp" not in pod["metadata"]


def tolerates(tolerations: Iterable[Mapping[str, Any]] | None, taint: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The toleration for ``taint``; None if it is not tolerated. Of several, the one with the shortest time."""
    found = [dict(toleration) for toleration in tolerations or () if _covers(toleration, taint)]
    timed = [toleration for toleration in found if toleration.get("tolerationSeconds") is not None]
    return min(timed, key=lambda toleration: toleration["tolerationSeconds"]) if timed else next(iter(found), None)


def _covers(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")


def timestamp(moment: datetime) -> str:
    """``moment`` as Kubernetes writes it, in whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> datetime:
    """Aware; ValueError if ``text`` is no ISO 8601 time."""
    return datetime.fromisoformat(text)


def suffix(generator: random.Random) -> str:
    """Five letters that make a generated name unique."""
    return "".join(generator.choices(_SUFFIX_LETTERS, k=5))
