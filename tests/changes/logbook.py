"""Drills and changes for tests of the undo log. Run as a script: one append, which may die on the way.

``logbook.py URL DRILL [STEP [SUBNET…]]`` appends a fault on the subnets and says what came of it; at the STEP-th step
of that (an SQL statement, or the time before or after a call of DynamoDB) it kills itself.
"""

import os
import random
import signal
import sys
from itertools import count

from blackstart.changes.log import Drill, Fault
from blackstart.changes.logs import open_log
from blackstart.changes.model import Change, Share, new_id
from blackstart.changes.owner import Owner, here
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.errors import BlackstartError
from blackstart.scope import Target

FAULT = Fault("failing zone us-east-1a", 1000.0, 1060.0)
SHARED = Fault("failing zone us-east-1a", 1000.0, None, True)
SOMEBODY = Owner("another machine", "boot", 17, 4711.0)


def drill(name="drill-1", started="2026-11-23T14:04:41.000Z", owner=None):
    return Drill(name, "Lose a zone", owner or here(), started, "/journals/1")


def change(subnet="subnet-1", region="us-east-1", cluster="", before=None):
    target = Target("subnet", subnet, "123456789012", region, f"{region}a", cluster, tags={"a": "b"})
    share = Share("zone", region, (f"{region}a",), 3)
    return Change(new_id(), "ec2.subnet_acl", target, before or {"acl": "é"}, {"acl": "x"}, "s", "u", ("c",), 1, share)


def noise(size, seed=0):
    """Text that cannot be compressed well."""
    return random.Random(seed).randbytes(size // 2).hex()


def main(url, name, step="0", *subnets):
    log = open_log(url)
    steps = count(1)

    def passed(*_):
        if next(steps) == int(step):
            os.kill(os.getpid(), signal.SIGKILL)

    if isinstance(log, SqliteLog):
        log._db.set_trace_callback(passed)
    else:
        call = log._table.call

        def observed(*arguments, **more):
            passed()
            answer = call(*arguments, **more)
            passed()
            return answer

        log._table.call = observed
    try:
        changes = [change(subnet, before={"acl": noise(400_000)}) for subnet in subnets or ["subnet-1"]]
        print("number", log.append(drill(name), FAULT, changes))
    except BlackstartError as error:
        print(error)
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
