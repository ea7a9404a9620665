"""The same with chaostoolkit-kubernetes and the official client, with their own Python. Prints JSON."""

import json
import sys
import time

from chaosk8s.node.actions import drain_nodes
from chaosk8s.pod.actions import terminate_pods
from chaoslib.exceptions import ActivityFailed
from kubernetes import client, config

DRAIN_SECONDS = 30


def measure(what: str) -> dict[str, float]:
    config.load_kube_config()
    client.CoreV1Api().read_namespace("kube-system")
    began = time.monotonic()
    try:
        if what == "list":
            client.CoreV1Api().list_namespaced_pod("shop", label_selector="app=orders")
        elif what == "kill":
            terminate_pods(label_selector="app=orders", ns="shop", all=True, grace_period=0)
        else:
            drain_nodes(label_selector="blackstart=allowed", count=5, timeout=DRAIN_SECONDS)
    except (ActivityFailed, client.ApiException) as error:
        print(f"{type(error).__name__}: {error}"[:200], file=sys.stderr)
    return {"seconds": time.monotonic() - began}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
