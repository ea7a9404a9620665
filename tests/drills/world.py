"""What a lab's APIs hold, for comparing before with after: everything, but for what legitimately moves.

What moves, and so is left out. This is the one list; the names of the fields are in ``world_aws`` and
``world_kubernetes``, each beside the line of this list that it stands for:

1. times, versions, heartbeats, and numbers that count traffic;
2. association ids of network ACLs, which the service makes anew at each swap (which subnet has which ACL is compared);
3. addresses and reasons that a stopped instance gets anew with its next start;
4. spot instances and their nodes: one that is powered off is gone for good, and its group starts another one, perhaps
   in another zone. How many each group has, and how they are, is compared; instances that are gone are not there;
5. pods: a killed one is replaced by another one with another name, on another node. How many there are of each
   workload, and how they are, is compared;
6. what Kubernetes derives from pods: endpoints, events, leases; and a node's status but for whether it is ready;
7. after a region drill only (``after_region_drill``): which machines the standby region has: its node groups grew and
   shrank again, and which instances they ended is their choice. How many each group has, and how they are, is compared;
8. the history of roll-outs: revision numbers, and ReplicaSets without pods that a Deployment keeps;
9. backups, which are taken again and again;
10. after a drill only that fails a database or a cache over inside its region (``after_failover``): which server leads.
   Nobody fails back, because that would hurt users again. How many servers follow and how many lead, and that it is the
   one that the API names, is compared.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import world_aws
import world_kubernetes

from blackstart.errors import BlackstartError
from blackstart.lab.client import LabClient

REGIONS = ("us-east-1", "us-west-2")
World = dict[str, Any]


def dump(environ: Mapping[str, str]) -> World:
    """By region, what its AWS and Kubernetes APIs and its data stores hold. OSError or BotoCoreError if they hide."""
    lab = LabClient(environ["BLACKSTART_LAB"])
    faults, parts = lab.faults(), lab.status().parts
    stores = ("postgres", "redis")
    return {
        region: {
            "works": faults[region],
            "stores": {part.name: part.state for part in parts if part.region == region and part.kind in stores},
            "aws": world_aws.dump(environ, region),
            "kubernetes": world_kubernetes.dump(environ, region),
        }
        for region in REGIONS
    }


def settled(
    environ: Mapping[str, str], expected: World, seconds: float = 40, but: Callable[[World], World] = dict
) -> World:
    """The dump, as soon as it equals ``expected``; the last one if it never does. ``but`` leaves more out of it."""
    deadline = time.monotonic() + seconds
    while (now := but(looked_at(environ))) != expected and time.monotonic() < deadline:
        time.sleep(0.5)
    return now


def looked_at(environ: Mapping[str, str]) -> World:
    """The dump, or why there is none."""
    try:
        return dump(environ)
    except (OSError, BlackstartError, *world_aws.ERRORS) as error:
        return {"hidden": str(error)}


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """One line for each thing that is not as it was: ``us-east-1/aws/acls/acl-1: … → nothing``."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from differences(before.get(key), after.get(key), f"{path}/{key}" if path else str(key))
    elif before != after:
        yield f"{path}: {_short(before)} → {_short(after)}"


def _short(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)[:200]


LED = {"postgres": "databases", "redis": "caches"}
"""What leads and is led, by the kind of its servers."""


def after_failover(kind: str, world: World) -> World:
    """Without who leads at home among the servers of ``kind``."""
    if "hidden" in world:
        return world
    home, group = world[REGIONS[0]], LED[kind]
    aws, stores = home["aws"], home["stores"]
    mine = {name: state for name, state in stores.items() if name.startswith(f"{kind}-")}
    leaders = [int(name.rpartition("-")[2]) for name, state in mine.items() if state == "primary"]
    counted = {"states": dict(Counter(mine.values())), "leads as told": leaders == world_aws.leaders(aws[group])}
    others = {name: state for name, state in stores.items() if name not in mine}
    aws = aws | {group: world_aws.led_by_anybody(aws[group])}
    return world | {REGIONS[0]: home | {"aws": aws, "stores": others | {kind: counted}}}


def after_region_drill(world: World) -> World:
    """With the machines of the standby region counted instead of named."""
    if "hidden" in world:
        return world
    home, standby = REGIONS
    found = world[standby]
    aws = found["aws"] | {"instances": world_aws.counted(found["aws"]["instances"])}
    kubernetes = found["kubernetes"] | {"nodes": world_kubernetes.counted(found["kubernetes"]["nodes"])}
    return {home: world[home], standby: found | {"aws": aws, "kubernetes": kubernetes}}
