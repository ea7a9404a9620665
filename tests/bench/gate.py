"""What the gate itself costs: a thousand changes of a kind that takes no time. Run as a script; prints JSON.

Everything but the calls is real: guards, the undo log on this disk, the journal's copy, the reverter. Run it where
the environment names an AWS API, because the guards ask whose account it is.
"""

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from opened import ACCOUNT, DRILL, REGION, gate, scope

from blackstart.changes.gate import inject, undo
from blackstart.changes.healed import Healed
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import ZONE, Change, Share, new_id
from blackstart.changes.registry import Kinds
from blackstart.scope import Target

CHANGES = 1000
ZONE_OF = REGION + "a"


class Nothing(Healed):
    """Changes nothing, at once."""

    name = "bench.nothing"
    permissions = ()
    look_size = 1

    def needs(self, change):
        return ()

    def apply(self, changes, clients):
        pass

    def look(self, changes, clients):
        return {change.id: Outcome(Ending.RESTORED) for change in changes}

    def verify(self, changes, clients):
        return {change.id: Outcome(Ending.UNTOUCHED) for change in changes}


def change(number: int) -> Change:
    where = {"account": ACCOUNT, "region": REGION, "zone": ZONE_OF}
    target = Target("thing", f"thing-{number}", **where, tags={"blackstart": "allowed"})
    share = Share(ZONE, REGION, (ZONE_OF,), 3)
    return Change(new_id(), Nothing.name, target, {"is": "old"}, {"is": "new"}, "nothing", "nothing", share=share)


def main(folder: Path) -> None:
    opened = gate(folder, scope(required_tag="blackstart"))
    opened = replace(opened, reach=replace(opened.reach, kinds=Kinds([Nothing()])))
    changes = [change(number) for number in range(CHANGES)]
    began = time.monotonic()
    inject(changes, opened, "measuring")
    injected = time.monotonic()
    undo(DRILL, opened.reach).require()
    undone = time.monotonic()
    opened.close()
    print(json.dumps({"inject": (injected - began) / CHANGES, "undo": (undone - injected) / CHANGES}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(name if len(sys.argv) == 1 else sys.argv[1]))
