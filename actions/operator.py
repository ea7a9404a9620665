"""The steps of a fail-over that people take, where no automation does; each is timed as a step of the recovery.

A step is noted at the moment at which it was seen to be done, not when it was asked for. Whatever a step changes passes
the gate, so undo is the way back; ``actions.regions.fail_back`` takes it in the order of a runbook.
"""

from collections.abc import Mapping
from typing import Any, Dict

from blackstart import drill as drills
from blackstart.actions import _operating as operating
from blackstart.actions import _rerouting as rerouting
from blackstart.changes.clients import Clients
from blackstart.changes.config_value import find_config_key, plan_config_value
from blackstart.changes.global_cache import find_global_cache, plan_global_cache_failover
from blackstart.changes.global_database import find_global_database, plan_global_failover
from blackstart.changes.model import Change
from blackstart.changes.node_group import find_node_group, plan_resize
from blackstart.changes.record_set import find_records, plan_repoint
from blackstart.changes.replicas import plan_growth
from blackstart.changes.routing_control import find_routing_controls, plan_routing
from blackstart.changes.workloads import find_workload
from blackstart.errors import ConfigInvalid, DrillStopped

__all__ = [
    "decide",
    "promote_cache",
    "promote_database",
    "scale_standby",
    "suspend_automation",
    "switch_dns",
    "warm_cache",
]

LIMIT_SECONDS = 600.0
DONE_SECONDS = 300.0
WAYS = ("health check", "routing control", "record")
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments/{}"


def suspend_automation(
    context: str,
    namespace: str,
    config_map: str = "failover",
    key: str = "mode",
    value: str = "manual",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Have the platform's automation leave the decision to people, by one ``key`` of a ConfigMap that it reads.

    Gives the ``changes`` that were made.
    """
    subject = f"suspending the automation that reads ConfigMap {namespace}/{config_map}"
    drill = drills.opened(configuration, subject)
    changes = plan_config_value(find_config_key(drill.clients, context, namespace, config_map, key), value)
    drill.inject(changes, subject, duration_seconds=duration_seconds)
    return {"changes": [change.summary for change in changes]}


def decide(
    question: str = "Fail over to the standby region?",
    answer: str = "",
    after_seconds: float = 0.0,
    limit_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Pause until somebody at the terminal decides to go on, at most ``limit_seconds``.

    Without a terminal, or with an ``answer`` ("yes" or "no"), nobody is waited for: that answer (else "yes") falls
    ``after_seconds`` later (else at once). A "no", and a question that nobody answered, end the drill: DrillStopped,
    and everything is put back. Gives the ``decision`` and who took it (``by``).
    """
    drill = drills.opened(configuration, "deciding")
    if answer and not operating.meant(answer):
        raise ConfigInvalid("decide", "answer", f"{answer!r} is neither yes nor no")
    if not isinstance(drill, drills.RunningDrill):
        return {"decision": "", "by": "nobody is asked by a plan"}
    alone = bool(answer) or not operating.terminal()
    said = operating.answered(question, drill, min(limit_seconds, after_seconds) if alone else limit_seconds)
    by = "an operator at the terminal" if said else "nobody, but as the experiment says"
    decision = said or (operating.meant(answer) or "yes" if alone else "")
    if decision != "yes":
        reason = "the operator decided not to go on" if decision else f"nobody answered within {limit_seconds:g} s"
        drill.gate.reach.log.stop(drill.id, reason)
        raise DrillStopped(drill.id, reason)
    drill.note(
        "decide", source=operating.OPERATOR, reason="FailoverDecided", message=f"{question} yes, decided by {by}"
    )
    return {"decision": decision, "by": by}


def promote_database(
    global_cluster: str,
    region: str,
    data_loss: bool = True,
    limit_seconds: float = DONE_SECONDS,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Make the member of an Aurora global cluster in ``region`` its writer, asking that region alone.

    With ``data_loss`` at once and at the price of what was not replicated; without, only if all is healthy. Done when
    RDS names it and, where the settings know the database there, it takes writes. Undo switches back once the old
    writer has rejoined. Gives the ``changes`` that were made and the ``seconds`` until it was done.
    """
    subject = f"promoting global database {global_cluster} in {region}"
    drill = drills.opened(configuration, subject)
    clients, dsn = drill.clients, operating.stores_of(drill).databases.get(region, "")
    changes = plan_global_failover(find_global_database(clients, region, global_cluster), region, data_loss=data_loss)
    drill.inject(changes, subject, duration_seconds=duration_seconds)

    def done() -> bool:
        writer = find_global_database(clients, region, global_cluster).writer
        return bool(writer and writer.region == region) and (not dsn or operating.database_writes(dsn))

    message = f"the database in {region} is the writer of {global_cluster}"
    step = operating.Step("writer", "DatabasePromoted", message, "the new writer", global_cluster)
    return operating.finish(drill, step, changes, done, limit_seconds)


def promote_cache(
    global_datastore: str,
    region: str,
    limit_seconds: float = DONE_SECONDS,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Make the member of an ElastiCache global datastore in ``region`` its primary, asking that region alone.

    Done when ElastiCache names it and, where the settings know the cache there, it is one. Gives the ``changes`` that
    were made and the ``seconds`` until it was done.
    """
    subject = f"promoting global cache {global_datastore} in {region}"
    drill = drills.opened(configuration, subject)
    clients, url = drill.clients, operating.stores_of(drill).caches.get(region, "")
    changes = plan_global_cache_failover(find_global_cache(clients, region, global_datastore), region)
    drill.inject(changes, subject, duration_seconds=duration_seconds)

    def done() -> bool:
        primary = find_global_cache(clients, region, global_datastore).primary
        return bool(primary and primary.region == region) and (not url or operating.cache_leads(url))

    message = f"the cache in {region} is the primary of {global_datastore}"
    step = operating.Step("note", "CachePromoted", message, "the new primary", global_datastore)
    return operating.finish(drill, step, changes, done, limit_seconds)


def switch_dns(
    region: str,
    by: str = "health check",
    cluster: str = "",
    on: str = "",
    off: str = "",
    zone: str = "",
    name: str = "",
    record: str = "",
    to: str = "",
    limit_seconds: float = DONE_SECONDS,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Have the service's name answered with the addresses of ``region``; done when the observer was first given them.

    ``by`` "health check": nothing is changed, because the lost region's health check has failed by itself. "routing
    control": ``on`` and ``off`` of ARC ``cluster`` are switched, which needs no control plane. "record": of the records
    of ``name`` in hosted ``zone``, the one with set identifier ``record`` answers ``to`` (values with commas between);
    refused once this drill has lost us-east-1, where Route 53's control plane is. Gives the ``changes`` that were made
    and the ``seconds`` until it was done.
    """
    subject = f"switching DNS to {region}"
    drill = drills.opened(configuration, subject)
    if by not in WAYS:
        raise ConfigInvalid("switch_dns", "by", f"{by!r} is not a way to switch DNS; there are {', '.join(WAYS)}")
    changes: list[Change] = []
    if by == "routing control":
        changes = plan_routing(find_routing_controls(drill.clients, cluster), on, off)
    elif by == "record":
        rerouting.refuse_without_route53(drill, subject)
        changes = plan_repoint(find_records(drill.clients, zone, name), _names(to), record=record)
    if changes:
        drill.inject(changes, subject, duration_seconds=duration_seconds)
    how = f"by {by}" if changes else "already, by its health check"
    step = operating.Step(
        "dns", "DnsMoved", f"the name is answered with {region}, moved {how}", "the name moved", "DNS"
    )
    return operating.finish(drill, step, changes, rerouting.moved(drill), limit_seconds)


def scale_standby(
    context: str,
    namespace: str,
    deployment: str,
    replicas: int,
    region: str = "",
    cluster: str = "",
    node_groups: str = "",
    limit_seconds: float = DONE_SECONDS,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Give the standby's Deployment at least so many ``replicas``, and node groups at least so many nodes.

    ``node_groups``: "on-demand=3, spot=2", of EKS ``cluster`` ("": called as ``context``) in ``region``. Nothing is
    made smaller. Done when all replicas are ready. Gives the ``changes`` that were made and the ``seconds`` until it
    was done.
    """
    subject = f"scaling Deployment {namespace}/{deployment} up to {replicas}"
    drill = drills.opened(configuration, subject)
    clients, nodes = drill.clients, _sizes(node_groups)
    found = find_workload(clients, context, "Deployment", namespace, deployment)
    changes = [*plan_growth(found, replicas), *_more_nodes(clients, region, cluster or context, nodes)]
    if changes:
        drill.inject(changes, subject, duration_seconds=duration_seconds)

    def done() -> bool:
        status = clients.kube(context).get(DEPLOYMENTS.format(namespace, deployment)).get("status") or {}
        return int(status.get("readyReplicas") or 0) >= replicas

    message = f"{replicas} replicas of {deployment} are ready"
    step = operating.Step("ready", "CapacityScaled", message, f"{replicas} replicas ready", deployment)
    return operating.finish(drill, step, changes, done, limit_seconds)


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]


def _more_nodes(clients: Clients, region: str, cluster: str, wanted: Mapping[str, int]) -> list[Change]:
    if wanted and not region:
        raise ConfigInvalid("scale_standby", "region", "node groups are found by region; give it")
    found = [find_node_group(clients, region, cluster, name) for name in wanted]
    small = [group for group in found if group.sizes["desiredSize"] < wanted[group.name]]
    return [change for group in small for change in plan_resize(group, wanted[group.name])]


def _sizes(listed: str) -> dict[str, int]:
    """{"on-demand": 3} from "on-demand=3"; ConfigInvalid for anything else."""
    found = {}
    for item in filter(None, (each.strip() for each in listed.split(","))):
        name, _, nodes = item.partition("=")
        if not name.strip() or not nodes.strip().isdecimal():
            raise ConfigInvalid("scale_standby", "node_groups", f"{item!r} is not of the form name=nodes")
        found[name.strip()] = int(nodes)
    return found


def warm_cache(
    region: str = "",
    share: float = 0.9,
    products: int = 500,
    limit_seconds: float = DONE_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Read so many ``products`` through the service, again and again, until its cache had this ``share`` of them.

    Reading is no change, so there is nothing to undo. Answers have to come from ``region``, if it is given. AWS
    restores a snapshot only into a new replication group, so no snapshot is used. Gives the ``hit_ratio`` and the
    ``seconds`` until it was reached.
    """
    subject = f"warming the cache{f' in {region}' if region else ''}"
    drill = drills.opened(configuration, subject)
    if not 0 < share <= 1 or products < 1:
        raise ConfigInvalid("warm_cache", "share", "give a share above 0 and up to 1, and a product at least")
    reached = 0.0

    def done() -> bool:
        nonlocal reached
        reached = operating.hit_ratio(drill, products, region)
        return reached >= share

    what = f"{share:.0%} of the products in the cache"
    message = f"the cache{f' in {region}' if region else ''} has {share:.0%} of the products, or more"
    step = operating.Step("cache", "CacheWarmed", message, what, "the service")
    return {**operating.finish(drill, step, [], done, limit_seconds), "hit_ratio": reached}
