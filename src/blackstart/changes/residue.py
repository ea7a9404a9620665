"""What a drill may have left behind: anything that still carries TAG, where the drill changed something.

``verify`` reads again what the undo log knows of. This scan knows nothing: it asks each AWS region and each namespace
that the drill touched for everything that carries Blackstart's tag or label, so that it also sees what the log does not
know, such as a second network ACL that a repeated call made. It changes nothing.

EC2 is asked for its tags, Kubernetes for the objects that changes could make there. A change kind that makes tagged
things anywhere else says how to find them: see ``Tags``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

from blackstart.changes.answers import passing, told
from blackstart.changes.clients import Clients
from blackstart.changes.kind import AT_ONCE
from blackstart.changes.leftovers import Found, Residue, Tagged, Whose
from blackstart.changes.log import Entry
from blackstart.changes.model import TAG
from blackstart.changes.reach import Reach
from blackstart.changes.undo import FIRST_PAUSE, LONGEST_PAUSE, PAUSE_GROWTH
from blackstart.errors import ConfigInvalid, UndoLogUnusable
from blackstart.kube.client import KubeRefused
from blackstart.scope import Target

PATIENCE_SECONDS = 30.0
NOT_SERVED = 404
CORE = "/api/v1"
OBJECTS = {
    "pods": CORE,
    "configmaps": CORE,
    "deployments": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
}
AWS_PERMISSIONS = (
    "sts:GetCallerIdentity",
    "ec2:DescribeTags",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeInstances",
)
"""What the scan needs if any target has an account and a region."""
KUBE_PERMISSIONS = tuple(f"kubernetes:list {plural}" for plural in OBJECTS)
"""What the scan needs if any target is in a namespace."""


@runtime_checkable
class Tags(Protocol):
    """An optional capability of a change kind: it makes tagged things outside EC2 and the namespaces of its targets."""

    def tagged(self, targets: Sequence[Target], clients: Clients) -> Iterable[Tagged]:
        """Everything that carries TAG where these targets are, whoever made it. Read-only; any error: not known."""
        ...


def scan(drill: str, reach: Reach, patience_seconds: float = PATIENCE_SECONDS) -> Residue:
    """Look wherever ``drill`` changed something; never raises for what could not be asked: see the report.

    What should be gone by now, and what did not answer, is looked at again until ``patience_seconds`` have passed: what
    was deleted may still be listed for a while.
    """
    try:
        entries = reach.log.entries(drill)
    except UndoLogUnusable as error:
        return Residue(problems=(str(error),))
    if not entries:
        return Residue()
    places = list(_places(entries, reach))
    clock, pause = reach.clock, FIRST_PAUSE
    deadline = clock.monotonic() + patience_seconds
    while True:
        residue, may_pass = _look(places, entries, reach)
        if not may_pass or clock.monotonic() + pause > deadline:
            return residue
        clock.sleep(pause)
        pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE)


@dataclass(frozen=True)
class _Place:
    """``name`` completes "in …"; ``asked`` says for what."""

    name: str
    asked: str
    look: Callable[[], Iterable[Tagged]]


def _places(entries: Sequence[Entry], reach: Reach) -> Iterator[_Place]:
    """A target in a cluster may know its region, but not its account: AWS knows nothing of it."""
    targets = [entry.change.target for entry in entries]
    for account, region in sorted({(t.account, t.region) for t in targets if t.account and t.region}):
        yield _Place(region, "EC2 tags", partial(_in_region, account, region, reach.clients))
    for cluster, namespace in sorted({(t.cluster, t.namespace) for t in targets if t.namespace}):
        look = partial(_in_namespace, cluster, namespace, reach.clients)
        yield _Place(f"cluster {cluster}", f"labels in {namespace}", look)
    for name in sorted({entry.change.kind for entry in entries}):
        of_kind = [entry.change.target for entry in entries if entry.change.kind == name]
        try:
            kind = reach.kinds.lookup(name)
        except ConfigInvalid as error:
            yield _Place(name, "what it makes", partial(_fail, error))
            continue
        if isinstance(kind, Tags):
            yield _Place(name, "what it makes", partial(kind.tagged, of_kind, reach.clients))


def _fail(error: ConfigInvalid) -> Iterable[Tagged]:
    raise error


def _look(places: Sequence[_Place], entries: Sequence[Entry], reach: Reach) -> tuple[Residue, bool]:
    """Once, everywhere at the same time; and whether another look may come to something better."""
    if not places:
        return Residue(), False
    with ThreadPoolExecutor(min(AT_ONCE, len(places)), "blackstart-residue") as pool:
        asked = [(place, pool.submit(lambda each: list(each.look()), place)) for place in places]
    looked, things, errors = [], [], {}
    for place, answer in asked:
        name, error = f"{place.name} ({place.asked})", answer.exception()
        if error is not None:
            errors[name] = error
            continue
        looked.append(name)
        things += [(thing, place.name) for thing in answer.result()]
    found = _attributed(things, entries, reach)
    held = {entry.change.id for entry in entries if entry.open}  # what an open change made stays until it is undone
    going = any(each.whose is not Whose.THEIRS and each.change not in held for each in found)
    problems = tuple(f"{name}: {told(error, AWS_PERMISSIONS)}".rstrip(". ") for name, error in errors.items())
    return Residue(tuple(looked), found, problems), going or any(passing(error) for error in errors.values())


def _attributed(things: Sequence[tuple[Tagged, str]], entries: Iterable[Entry], reach: Reach) -> tuple[Found, ...]:
    ours = {entry.change.id for entry in entries}
    holders = _holders(reach) if any(thing.change not in ours for thing, _ in things) else {}
    found = []
    for thing, place in things:
        whose = Whose.OURS if thing.change in ours else Whose.THEIRS if thing.change in holders else Whose.UNKNOWN
        found.append(Found(thing.what, thing.id, thing.change, place, whose, holders.get(thing.change, "")))
    return tuple(found)


def _holders(reach: Reach) -> dict[str, str]:
    """Change id → the drill that holds it open; without the log's answer everything is nobody's."""
    try:
        drills = reach.log.drills()
        return {entry.change.id: drill.id for drill in drills for entry in reach.log.entries(drill.id) if entry.open}
    except UndoLogUnusable:
        return {}


def _in_region(account: str, region: str, clients: Clients) -> Iterator[Tagged]:
    reached = clients.account()
    if reached != account:
        raise ConfigInvalid("the AWS credentials", "", f"they are of account {reached}, the changes in {account}")
    ec2 = clients.aws("ec2", region)
    by_type: dict[str, list[Tagged]] = {}
    for page in ec2.get_paginator("describe_tags").paginate(Filters=[{"Name": "key", "Values": [TAG]}]):
        for tag in page["Tags"]:
            thing = Tagged(tag["ResourceType"], tag["ResourceId"], tag["Value"])
            by_type.setdefault(thing.what, []).append(thing)
    for what, things in sorted(by_type.items()):
        there = _there(ec2, what, {thing.change for thing in things})
        yield from (thing for thing in things if there is None or thing.id in there)


def _there(ec2: Any, what: str, changes: Collection[str]) -> set[str] | None:
    """Which things of this type really exist: tags outlive them, those of a terminated instance by an hour.

    None: not known, so what its tag says counts.
    """
    filters = [{"Name": f"tag:{TAG}", "Values": sorted(changes)}]
    if what == "network-acl":
        pages = ec2.get_paginator("describe_network_acls").paginate(Filters=filters)
        return {acl["NetworkAclId"] for page in pages for acl in page["NetworkAcls"]}
    if what == "instance":
        pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)
        found = [item for page in pages for each in page["Reservations"] for item in each["Instances"]]
        return {item["InstanceId"] for item in found if item["State"]["Name"] not in ("shutting-down", "terminated")}
    return None


def _in_namespace(cluster: str, namespace: str, clients: Clients) -> Iterator[Tagged]:
    kube = clients.kube(cluster)
    for plural, group in OBJECTS.items():
        try:
            for item in kube.items(f"{group}/namespaces/{namespace}/{plural}", labelSelector=TAG):
                meta = item["metadata"]
                yield Tagged(plural, f"{namespace}/{meta['name']}", meta["labels"][TAG])
        except KubeRefused as error:
            if error.status != NOT_SERVED or group == CORE:
                raise
