"""Files that a lab writes for its users: a kubeconfig, and a ``blackstart.toml`` for drills in it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from blackstart.lab.builds import dsn
from blackstart.lab.manifests import OPT_IN
from blackstart.lab.orders.store import READ_BACK
from blackstart.lab.parts import Address
from blackstart.lab.status import KUBECONFIG, Endpoints, RegionEndpoints
from blackstart.lab.topology import (
    ACCOUNT,
    EDGE_HOST,
    ENTRANCE_USERS,
    NAMESPACE,
    PLATFORM,
    SERVICE,
    SERVICE_HOST,
    RegionParts,
    Topology,
    url,
)


def kubeconfig(regions: tuple[RegionParts, ...]) -> str:
    """One context for each region's cluster, of the cluster's name; the first one is current."""
    named = [(parts.cluster, url(parts.kube)) for parts in regions]
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": named[0][0],
        "clusters": [{"name": name, "cluster": {"server": server}} for name, server in named],
        "users": [{"name": "lab", "user": {}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": "lab", "namespace": NAMESPACE}} for name, _ in named
        ],
    }
    return yaml.safe_dump(config, sort_keys=False)


def endpoints(laid: Topology, folder: Path) -> Endpoints:
    """How to reach the lab in ``folder``."""
    return Endpoints(
        admin=url(laid.admin),
        dns=_at(laid.dns),
        service=SERVICE_HOST,
        edge=EDGE_HOST,
        port=laid.home.gateway[1],
        aws=url(laid.aws),
        aws_admin=url(laid.aws_admin),
        links_admin=url(laid.links_admin),
        automation=url(laid.automation),
        regions={
            parts.region: RegionEndpoints(
                gateway=_at(parts.gateway),
                kubeconfig=str(folder / KUBECONFIG),
                context=parts.cluster,
                kubernetes=url(parts.kube),
                postgres=_at(parts.database_endpoint),
                database=dsn(parts.database_endpoint),
                redis=_at(parts.cache_endpoint),
            )
            for parts in laid.regions()
        },
    )


def _at(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


def settings(
    laid: Topology, folder: Path, cluster_ids: Mapping[str, str], monitoring: Mapping[str, Any] | None = None
) -> str:
    """``blackstart.toml``: the whole lab is in scope, also all pods of a service at once, and the evidence is looked
    for in its standby region.

    ``cluster_ids``: the uid of the namespace kube-system, by cluster. ``monitoring``: its table, if there is any.
    """
    tables: dict[str, Mapping[str, Any]] = {
        "": {"undo_log": f"sqlite://{folder / 'undo.sqlite'}"},
        "scope": _scope(laid),
        "scope.cluster_ids": cluster_ids,
        "scope.shares": {"pod": 1.0},
        "service": {
            "name": SERVICE,
            "host": SERVICE_HOST,
            "port": laid.home.gateway[1],
            "dns": _at(laid.dns),
            "home_region": laid.home.region,
            "standby_region": laid.standby.region,
        },
        "evidence": {
            "aws_region": laid.standby.region,
            "global_cluster": PLATFORM,
            "kube_context": laid.standby.cluster,
            "namespace": NAMESPACE,
            "deployment": SERVICE,
            "event_object": SERVICE,
            "calls_url": f"{url(laid.aws_admin)}/calls",
        },
        "ledger": {"sql": READ_BACK},
        "stores.databases": {parts.region: dsn(parts.database_endpoint) for parts in laid.regions()},
        "stores.caches": {parts.region: f"redis://{_at(parts.cache_endpoint)}" for parts in laid.regions()},
        **({"monitoring": monitoring} if monitoring else {}),
    }
    return "\n".join(_table(name, values) for name, values in tables.items())


def _scope(laid: Topology) -> Mapping[str, Any]:
    return {
        "environment": "lab",
        "accounts": [ACCOUNT],
        "regions": [parts.region for parts in laid.regions()],
        "clusters": [parts.cluster for parts in laid.regions()],
        "namespaces": [NAMESPACE],
        "required_tag": next(iter(OPT_IN)),
        "whole_region": True,
        "cold_caches": True,
        "load_users": max(laid.config.users, ENTRANCE_USERS),
    }


def _table(name: str, values: Mapping[str, Any]) -> str:
    head = f"[{name}]\n" if name else ""
    # JSON's strings, numbers, booleans and arrays of strings are TOML's
    return head + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
