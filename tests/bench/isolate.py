"""Isolating one zone of many subnets, as a process of its own that can be killed: ours. Run as a script.

``isolate.py FOLDER REGION VPC ZONE`` injects, then undoes, and prints seconds for each as JSON.
"""

import json
import sys
import time
from pathlib import Path

from opened import DRILL, gate, scope

from blackstart.changes.gate import inject, undo
from blackstart.changes.network import find_vpc
from blackstart.changes.network_acl import find_acls, plan_black_hole


def main(folder: Path, region: str, vpc: str, zone: str) -> None:
    opened = gate(folder, scope(required_tag="AZ_FAILURE"))
    clients = opened.reach.clients
    clients.aws("ec2", region)
    began = time.monotonic()
    found = find_vpc(clients, region, vpc)
    inject(plan_black_hole(found, [zone], find_acls(clients, found)), opened, f"failing zone {zone}")
    isolated = time.monotonic()
    undo(DRILL, opened.reach).require()
    restored = time.monotonic()
    opened.close()
    print(json.dumps({"isolate": isolated - began, "undo": restored - isolated}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
