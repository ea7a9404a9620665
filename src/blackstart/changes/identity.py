"""Who am I: the account and the clusters that are really reached, against the scope. Read-only.

Names prove nothing: a profile or a kubeconfig context may lead anywhere. An account proves itself to STS, a cluster by
the uid of its namespace ``kube-system``, which it keeps for life and shares with no other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from blackstart.access import Aws, Kubernetes, Need
from blackstart.changes.clients import Clients
from blackstart.changes.model import Change
from blackstart.errors import ServiceUnreachable
from blackstart.scope import Scope

KUBERNETES = ("kubernetes.", "velero.")
"""Kinds whose names begin so are reached through a cluster; all others through the credentials of an AWS account."""

SYSTEM = "/api/v1/namespaces/kube-system"


def objection(scope: Scope, changes: Sequence[Change], clients: Clients) -> str | None:
    """Why these are not the account and clusters that ``changes`` mean and ``scope`` permits, as the end of a sentence.

    Asks each account and cluster once. Errors of the APIs: ServiceUnreachable, KubeRefused, ConfigInvalid.
    """
    by_credentials = _by_credentials(changes)
    reason = _account(scope, by_credentials, clients) if by_credentials else None
    if reason:
        return reason
    in_clusters = [change for change in changes if change.target.cluster or change.kind.startswith(KUBERNETES)]
    for cluster, way in sorted({(change.target.cluster, _way(change)) for change in in_clusters}):
        reason = _cluster(scope, cluster, way, clients)
        if reason:
            return reason
    return None


def needs(changes: Sequence[Change]) -> tuple[Need, ...]:
    """The permissions that proving takes."""
    account = [Aws("sts:GetCallerIdentity")] if _by_credentials(changes) else []
    clusters = sorted({change.target.cluster for change in changes} - {""})
    return (*account, *(Kubernetes("kubernetes:get namespaces", name, names=("kube-system",)) for name in clusters))


def astray(changes: Sequence[Change], clients: Clients) -> dict[str, str]:
    """The changes that were made in another account than ``clients`` reach: by id, the end of a sentence.

    For putting back from elsewhere: in another account, what was created there looks as if it were deleted already, and
    groups may have namesakes. An account that cannot be told hinders nobody, because undo must not depend on STS.
    """
    made = _by_credentials(changes)
    try:
        reached = clients.account() if made else ""
    except ServiceUnreachable:
        return {}
    return {change.id: _stray(change, reached) for change in made if change.target.account != reached}


def _by_credentials(changes: Sequence[Change]) -> list[Change]:
    return [change for change in changes if not change.kind.startswith(KUBERNETES)]


def _account(scope: Scope, changes: Sequence[Change], clients: Clients) -> str | None:
    reached = clients.account()
    if reached not in scope.accounts:
        permitted = ", ".join(scope.accounts) or "none"
        return f"the credentials reach account {reached}, which is outside the scope ({permitted})"
    return next((_stray(change, reached) for change in changes if change.target.account != reached), None)


def _stray(change: Change, reached: str) -> str:
    target = change.target
    where = f"in account {target.account}" if target.account else "in no account"
    return f"{target} is {where}, but the credentials reach account {reached}"


def _way(change: Change) -> str:
    """The kubeconfig context that the change is made through, which need not be called as its cluster."""
    named = change.before.get("context") if isinstance(change.before, Mapping) else None
    return str(named or change.target.cluster)


def _cluster(scope: Scope, cluster: str, way: str, clients: Clients) -> str | None:
    if cluster not in scope.clusters:
        return f"the cluster {cluster or '(no name)'} is outside the scope ({', '.join(scope.clusters) or 'none'})"
    reached = _uid(clients, way)
    expected = scope.cluster_ids.get(cluster)
    if expected is None:
        line = f"{json.dumps(cluster)} = {json.dumps(reached)}"
        seen = f"the scope has no id for cluster {cluster}; the one that is reached has {reached}"
        return f"{seen}; if that is the one you mean, write {line} under [scope.cluster_ids]"
    if reached != expected:
        return f"context {way} reaches a cluster with the id {reached}, but {cluster} has the id {expected}"
    return None


def _uid(clients: Clients, way: str) -> str:
    found = clients.kube(way).get(SYSTEM)
    try:
        return str(found["metadata"]["uid"])
    except (KeyError, TypeError) as error:
        raise ServiceUnreachable(f"tell which cluster {way} is", SYSTEM, "has no uid") from error
