"""A small drill for the crash tests: takes two zones of a region away in every way there is, then puts it back.

Run as a script, with where and how it is to die as its last arguments. ``revert`` as first argument: its reverter.
"""

import argparse
import json
import sys
from pathlib import Path

from death import Death

from blackstart.changes import reverter
from blackstart.changes.auto_scaling_zone import find_groups, plan_zones_away
from blackstart.changes.clients import Clients
from blackstart.changes.gate import Gate, inject
from blackstart.changes.health_check import find_health_check, plan_inversion
from blackstart.changes.instances import find_instances, plan_power_off
from blackstart.changes.log import Drill
from blackstart.changes.logs import open_log
from blackstart.changes.mirror import Mirror
from blackstart.changes.network import find_vpc
from blackstart.changes.network_acl import find_acls, plan_black_hole
from blackstart.changes.owner import here
from blackstart.changes.reach import Reach
from blackstart.changes.recover import recover
from blackstart.changes.registry import Kinds
from blackstart.changes.undo import undo
from blackstart.clock import SystemClock
from blackstart.scope import Scope

SCOPE = Scope(environment="test", accounts=("123456789012",), regions=("us-east-1",), required_tag="blackstart")
ZONES = ("us-east-1a", "us-east-1b")
SETTLE_SECONDS = 1.0


def reach(log, folder, by, boundary=lambda boundary, changes: None):
    clock = SystemClock()
    mirror = Mirror(folder, by, clock)
    return Reach(log, Kinds(), Clients(), clock, mirror, settle_seconds=SETTLE_SECONDS, boundary=boundary)


def drill(url, folder, death):
    log = open_log(url)
    world = json.loads((folder / "world.json").read_text())
    mine = reach(log, folder, "drill", death)
    watch = reverter.Reverter(url, "drill-1", folder, (sys.executable, __file__, "revert"))
    gate = Gate(SCOPE, Drill("drill-1", "a test", here(), "2026-01-01T00:00:00Z", str(folder)), mine, watch)
    watch.ensure("starting")
    (folder / "reverter.pid").write_text(str(watch.pid))
    vpc = find_vpc(mine.clients, "us-east-1", world["vpc"])
    groups = find_groups(mine.clients, vpc)
    power = plan_power_off(find_instances(mine.clients, vpc, ZONES), vpc, groups)
    inject([*plan_zones_away(groups, vpc, ZONES), *power], gate, "powering off two zones")
    network = plan_black_hole(vpc, ZONES, find_acls(mine.clients, vpc))
    inject([*network, *plan_inversion(find_health_check(mine.clients, world["check"]))], gate, "cutting off two zones")
    undo("drill-1", mine).require()
    watch.release()
    log.close()


def revert(arguments):
    parser = argparse.ArgumentParser()
    for name, kind in (("log", str), ("drill", str), ("folder", Path), ("pipe", int), ("ready", int)):
        parser.add_argument(f"--{name}", type=kind)
    given = parser.parse_args(arguments)

    def look(boundary, changes):
        first = given.folder / "first-undo"
        if boundary == "undoing" and not first.exists():
            first.write_text(str(SystemClock().monotonic()))

    log = open_log(given.log)
    mine = reach(log, given.folder, "reverter", look)

    def done(ending):
        (given.folder / "ending").write_text(ending)

    reverter.run(given.drill, mine, given.pipe, given.ready, done)
    log.close()


def recovery(url, folder, death):
    log = open_log(url)
    found = recover(log, lambda drill: reach(log, folder, "recover", death))
    log.close()
    sys.stdout.write(json.dumps({"complete": [report.complete for report in found.reports]}))


if __name__ == "__main__":
    if sys.argv[1] == "revert":
        revert(sys.argv[2:])
    else:
        what, url, folder, at, how = sys.argv[1:]
        work = {"drill": drill, "recover": recovery}[what]
        work(url, Path(folder), Death(at, how, Path(folder)))
