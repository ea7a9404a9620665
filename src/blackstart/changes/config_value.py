"""One key of one ConfigMap, for what reads its mode from there: an automation that is told to leave things to people.

Where the ConfigMap is not there, it is made with that one key, in a single call that also gives it the change's label;
undo deletes it if it still holds just that. A key that was not there is taken out again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.access import Kubernetes, Need
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Wanted
from blackstart.changes.model import TAG, TAKES_NOTHING, Change, new_id
from blackstart.changes.versions import CONFLICT, VERSION, patch_as_seen, version_of
from blackstart.errors import NotYet, Refused, TargetChanged
from blackstart.kube.client import NOT_FOUND, KubeRefused
from blackstart.scope import Target

VALUE, EXISTS, KEY = "value", "exists", "key"
GET, CREATE, PATCH, DELETE = (f"kubernetes:{verb} configmaps" for verb in ("get", "create", "patch", "delete"))


@dataclass(frozen=True)
class ConfigKey:
    """One key of a ConfigMap, as found. ``value`` None: the key, or (without ``exists``) all of it, is not there.

    ``labels``: those of the ConfigMap, or of its namespace where it is not there.
    """

    cluster: str
    context: str
    namespace: str
    name: str
    key: str
    exists: bool
    value: str | None
    labels: Mapping[str, str]

    def __str__(self) -> str:
        return f"ConfigMap {self.namespace}/{self.name}"


def find_config_key(clients: Clients, context: str, namespace: str, name: str, key: str) -> ConfigKey:
    """The key as it is now. Refused without the namespace. Read-only."""
    kube = clients.kube(context)
    item = kube.find(f"{_maps(namespace)}/{name}")
    holder = item or kube.find(f"/api/v1/namespaces/{namespace}")
    if holder is None:
        raise Refused(f"setting {key} of ConfigMap {namespace}/{name}", f"{kube.cluster} has no namespace {namespace}")
    value = (item.get("data") or {}).get(key) if item else None
    labels = holder["metadata"].get("labels") or {}
    return ConfigKey(kube.cluster, context, namespace, name, key, item is not None, value, labels)


def plan_config_value(found: ConfigKey, value: str, new_change: Callable[[], str] = new_id) -> list[Change]:
    """The key gets ``value``. Refused if it has that already. Pure."""
    if found.value == value:
        raise Refused(f"setting {found.key} of {found}", f"it is {value!r} already")
    was = "not there" if found.value is None else repr(found.value)
    back = "deleting it" if not found.exists else "taking the key out" if found.value is None else f"setting {was}"
    return [
        Change(
            id=new_change(),
            kind=ConfigValue.name,
            target=Target(
                "configmap",
                found.name,
                cluster=found.cluster,
                namespace=found.namespace,
                tags=dict(found.labels),
            ),
            before={"context": found.context, KEY: found.key, EXISTS: found.exists, VALUE: found.value},
            after={VALUE: value},
            summary=f"{found}{'' if found.exists else ' (made for it)'}: {found.key} {was} → {value!r}",
            undo_summary=f"{back} again",
            calls=(PATCH if found.exists else CREATE,),
            share=TAKES_NOTHING,
        )
    ]


class ConfigValue(CompareAndRestore):
    """The value of one key of a ConfigMap."""

    name: ClassVar[str] = "kubernetes.config_value"
    permissions: ClassVar[tuple[str, ...]] = (GET, CREATE, PATCH, DELETE)

    def needs(self, change: Change) -> Sequence[Need]:
        target = change.target
        others = (GET, PATCH) if change.before[EXISTS] else (GET, DELETE)
        named = [Kubernetes(name, target.cluster, target.namespace, (target.id,)) for name in others]
        # RBAC cannot tell the name of what is only about to be made
        made = [] if change.before[EXISTS] else [Kubernetes(CREATE, target.cluster, target.namespace)]
        return (*named, *made)

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        return {change.id: _seen(change, clients) for change in changes}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            change, value = item.change, item.fields[VALUE]
            if change.before[EXISTS]:
                patch_as_seen(item, _path(change), {"data": {change.before[KEY]: value}}, clients)
            elif value is None:
                _delete(item, clients)
            else:
                _create(change, clients)


def _seen(change: Change, clients: Clients) -> Seen:
    item: Any = clients.kube(change.before["context"]).find(_path(change))
    if change.before[EXISTS]:
        return None if item is None else {VALUE: _data(item).get(change.before[KEY]), **version_of(item)}
    if item is None or (item["metadata"].get("labels") or {}).get(TAG) != change.id:
        return {VALUE: None}  # ours is not there
    others = sorted(_data(item).keys() - {change.before[KEY]})
    value = _data(item).get(change.before[KEY], "gone")
    return {VALUE: f"{value}, beside {', '.join(others)}" if others else value, **version_of(item)}


def _create(change: Change, clients: Clients) -> None:
    target = change.target
    meta = {"name": target.id, "labels": {TAG: change.id}}
    body = {"metadata": meta, "data": {change.before[KEY]: change.after[VALUE]}}
    try:
        clients.kube(change.before["context"]).post(_maps(target.namespace), body)
    except KubeRefused as error:
        if error.status != CONFLICT:
            raise
        raise TargetChanged(str(target), "somebody else has made it") from error


def _delete(item: Wanted, clients: Clients) -> None:
    change = item.change
    try:
        clients.kube(change.before["context"]).delete(_path(change), {"preconditions": {VERSION: item.seen[VERSION]}})
    except KubeRefused as error:
        if error.status == CONFLICT:
            raise NotYet(str(change.target), "being changed by somebody else") from error
        if error.status != NOT_FOUND:
            raise


def _data(item: Mapping[str, Any]) -> Mapping[str, str]:
    return item.get("data") or {}


def _path(change: Change) -> str:
    return f"{_maps(change.target.namespace)}/{change.target.id}"


def _maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"
