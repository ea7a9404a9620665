"""Pods, nodes and instances by the action, as a process of its own: ours. Run as a script; prints JSON.

``compute.py FOLDER kill|list|drain|again`` on the cluster that ``$KUBECONFIG`` names, ``compute.py FOLDER power VPC
ZONE`` on the AWS API that the environment names. ``seconds`` from the call of the action to its return; ``memory``:
the peak of this process, in MiB; ``made``: how many calls of an API.
"""

import json
import os
import resource
import sys
import time
import urllib.request
from pathlib import Path

from opened import drill, scope

from blackstart import drill as drills
from blackstart.access import Call
from blackstart.actions.nodes import drain_nodes
from blackstart.actions.pods import delete_pods
from blackstart.actions.zones import fail_zone
from blackstart.changes.pods import find_pods

CLUSTER = {"clusters": ("bench",), "cluster_ids": {"bench": "bench"}, "namespaces": ("shop",)}
EVERYTHING = {"pod": 1.0, "node": 1.0}
AGAIN_SECONDS = 6.0


def measure(place: Path, what: str, *more: str) -> dict[str, float]:
    calls: list[Call] = []
    where = {} if what == "power" else CLUSTER
    opened = drill(place, scope(required_tag="blackstart", shares=EVERYTHING, **where), calls.append)
    configuration = {drills.DRILL_KEY: opened}
    orders = {"context": "bench", "namespace": "shop", "selector": "app=orders", "configuration": configuration}
    if where:
        opened.clients.kube("bench").get("/api/v1/namespaces/kube-system")  # what Python loads at the first call
    else:
        opened.clients.aws("ec2", "us-east-1")
    calls.clear()
    began = time.monotonic()
    if what == "list":
        chosen = find_pods(opened.clients, "bench", "shop", "app=orders").pods
        opened.random.sample(chosen, 100)
    elif what == "kill":
        delete_pods(share=1.0, **orders)
    elif what == "drain":
        drain_nodes(context="bench", share=1.0, configuration=configuration)
    elif what == "again":
        delete_pods(share=1.0, repeat=True, duration_seconds=AGAIN_SECONDS, **orders)
        time.sleep(AGAIN_SECONDS)
        opened.rest()
    else:
        fail_zone(zone=more[1], vpc=more[0], by="power", configuration=configuration)
    seconds = time.monotonic() - began
    made = len(calls)
    _put_back(opened)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "memory": memory, "made": made}


def _put_back(opened: drills.RunningDrill) -> None:
    """Nothing of it goes on after this process; not measured."""
    if "BENCH" in os.environ:
        urllib.request.urlopen(f"{os.environ['BENCH']}/bench/heal", b"{}", timeout=30).close()
    drills.undo_all(opened).require()
    opened.gate.close()


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), *sys.argv[2:])))
