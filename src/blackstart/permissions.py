"""``blackstart permissions``: the least that an experiment needs to find, run, watch, verify and undo.

What finding and the guards need is what the plan has just called. What applying, undoing and verifying need, each
change kind says of each change; what comes after a plan (probes, evidence, the residue scan, the undo log), the module
that does it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
import yaml

from blackstart import settings
from blackstart.access import KUBERNETES, Aws, Call, Kubernetes, Need, arn, in_namespace, within
from blackstart.changes import conditions, dynamo_table, identity, residue
from blackstart.changes.clients import Clients
from blackstart.errors import ConfigInvalid
from blackstart.journals import archive
from blackstart.monitoring import cloudwatch
from blackstart.observer import watch
from blackstart.planning import REFUSED, Planned, plan
from blackstart.publish import cloudwatch as published
from blackstart.reports.policies import iam_policies, kubernetes_manifests

NARROWED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "eks:DescribeNodegroup": lambda asked: f"nodegroup/{asked['clusterName']}/{asked['nodegroupName']}/*",
    "route53:GetHealthCheck": lambda asked: f"healthcheck/{asked['HealthCheckId']}",
    "route53:ListTagsForResource": lambda asked: f"{asked['ResourceType']}/{asked['ResourceId']}",
}
"""The resource of reads that IAM does not only grant on everything, by what they were asked."""
ANYWHERE = ("sts", "route53-recovery-cluster")
"""Services of which any region's endpoint may be asked."""


def run(file: Path, as_json: bool, scope: Path | None = None) -> int:
    """Print the permissions for ``file``; 0 if these are all, 3 if an action could not tell its targets."""
    planned = plan(file, settings.scoped(os.environ, scope))
    told = permissions(planned)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    else:
        for line in _lines(told):
            typer.echo(line)
    for problem in (*told["missing"], *told["not_by_blackstart"]):
        typer.echo(f"missing here: what this needs: {problem}", err=True)
    return REFUSED if told["missing"] else 0


def permissions(planned: Planned) -> dict[str, Any]:
    """``iam``: policies, ``kubernetes``: manifests by cluster, ``missing``: faults whose targets are not known (why),
    ``not_by_blackstart``: activities whose needs nobody here knows."""
    needs = list(needed(planned))
    unknown = [proposal for proposal in planned.plan.proposals if not proposal.found]
    return {
        "experiment": planned.plan.file,
        "iam": iam_policies(needs),
        "kubernetes": kubernetes_manifests(needs),
        "missing": [f"{each.subject}: {each.objections[0].objection}" for each in unknown],
        "not_by_blackstart": list(planned.plan.foreign),
    }


def needed(planned: Planned) -> Iterator[Need]:
    """Every permission, as often as something needs it."""
    changes, account = planned.plan.changes, _account(planned)
    for call in planned.calls:
        yield _of_call(call, account)
    for change in changes:
        yield from planned.kinds.lookup(change.kind).needs(change)
    for proposal in planned.plan.proposals:
        yield from proposal.keeping
    yield from identity.needs(changes)
    yield from conditions.needs(planned.settings.scope.stop)
    for module, function, arguments in planned.probes:
        names = getattr(import_module(module), "PERMISSIONS", {}).get(function, ())
        yield from _of_probe(names, arguments)
    evidence = planned.settings.evidence
    yield from watch.needs(evidence, _cluster(evidence.kube_context), account)
    yield from cloudwatch.needs(planned.settings.monitoring)
    yield from published.needs(planned.settings.publish)
    yield from _residue(planned)
    yield from archive.needs(planned.settings.archive)
    yield from _undo_log(planned.settings.undo_log, account)


def _of_probe(names: Iterable[str], arguments: Mapping[str, Any]) -> Iterator[Need]:
    """``names``, in each cluster and region that the probe's arguments name."""
    listed = tuple(names)
    of_clusters = [name for name in listed if name.startswith(KUBERNETES)]
    of_aws = [name for name in listed if name not in of_clusters]
    contexts = {value for key, value in arguments.items() if key.endswith("context")} or {""}
    regions = {value for key, value in arguments.items() if key.endswith("region") and value} or {""}
    for cluster in sorted({_cluster(str(context)) for context in contexts} if of_clusters else ()):
        yield from in_namespace(of_clusters, cluster, str(arguments.get("namespace", "")))
    for region in sorted(map(str, regions)):
        yield from (Aws(name, when=within(region)) for name in of_aws)


def _account(planned: Planned) -> str:
    """Of the changes, else of the scope if it has just one, else any."""
    accounts = {change.target.account for change in planned.plan.changes} - {""} or set(planned.settings.scope.accounts)
    return accounts.pop() if len(accounts) == 1 else "*"


def _of_call(call: Call, account: str) -> Need:
    if call.action.startswith(KUBERNETES):
        names = (call.name,) if call.name else ()
        return Kubernetes(call.action, call.cluster, call.namespace, names)
    narrowed = NARROWED.get(call.action)
    service = call.action.partition(":")[0]
    if narrowed is None:
        return Aws(call.action, when=within(call.region) if service not in ANYWHERE else None)
    return Aws(call.action, (arn(service, call.region, account if call.region else "", narrowed(call.arguments)),))


def _cluster(context: str) -> str:
    """The cluster that a context of the kubeconfig names; its own name if the kubeconfig cannot be asked."""
    clients = Clients(threads=1)
    try:
        return clients.kube(context).cluster
    except ConfigInvalid:
        return context or "of the current context"
    finally:
        clients.close()


def _residue(planned: Planned) -> Iterator[Need]:
    targets = [change.target for change in planned.plan.changes]
    for region in sorted({target.region for target in targets if target.account and target.region}):
        for name in residue.AWS_PERMISSIONS:
            yield Aws(name, when=within(region) if not name.startswith("sts:") else None)
    for cluster, namespace in sorted({(target.cluster, target.namespace) for target in targets if target.namespace}):
        yield from in_namespace(residue.KUBE_PERMISSIONS, cluster, namespace)


def _undo_log(url: str, account: str) -> Iterator[Need]:
    region, _, table = url.removeprefix(dynamo_table.SCHEME).partition("/")
    if url.startswith(dynamo_table.SCHEME):
        there = arn("dynamodb", region, account, f"table/{table}")
        yield from (Aws(name, (there,)) for name in dynamo_table.PERMISSIONS)


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    if not told["iam"] and not told["kubernetes"]:
        yield "# this experiment needs no permission"
    for number, policy in enumerate(told["iam"], 1):
        yield f"# IAM policy {number} of {len(told['iam'])}: attach it to the role that runs the drill and the reverter"
        yield json.dumps(policy, indent=2)
    for cluster, manifests in told["kubernetes"].items():
        yield f"# Kubernetes, cluster {cluster}: kubectl apply -f; its users are the group blackstart"
        yield yaml.safe_dump_all(manifests, sort_keys=False).rstrip()
