"""Isolating one zone of many subnets: aws-az-failure-chaostoolkit, with its own Python. Prints seconds as JSON."""

import json
import sys
import time

from azchaosaws.ec2 import actions


def main(zone: str) -> None:
    began = time.monotonic()
    actions.fail_az(az=zone, dry_run=False, failure_type="network")
    isolated = time.monotonic()
    actions.recover_az()
    restored = time.monotonic()
    print(json.dumps({"isolate": isolated - began, "undo": restored - isolated}))


if __name__ == "__main__":
    main(sys.argv[1])
