"""Drills on files, as processes of their own: ``file_drill.py drill|revert|recover …``.

``$BLACKSTART_TEST_HOST`` is the machine that these processes believe to be on. In the folder of the files, ``trip``
trips their stop condition, ``mute`` keeps it from answering, ``sleepy`` lets it answer never, and ``severed`` cuts them
off from the undo log.
"""

import argparse
import os
import platform
import signal
import sys
import time
from functools import wraps
from pathlib import Path

from file_text import FileText

from blackstart.changes import lookout, reverter
from blackstart.changes.clients import Clients
from blackstart.changes.conditions import Condition
from blackstart.changes.gate import Gate, inject
from blackstart.changes.log import Drill
from blackstart.changes.logs import open_log
from blackstart.changes.lookout import Conditions
from blackstart.changes.mirror import Mirror
from blackstart.changes.model import Change, new_id
from blackstart.changes.owner import here
from blackstart.changes.reach import Reach
from blackstart.changes.recover import recover
from blackstart.changes.registry import Kinds
from blackstart.changes.undo import undo
from blackstart.clock import SystemClock
from blackstart.errors import ServiceUnreachable, UndoLogUnusable
from blackstart.scope import Scope, Target

SCOPE = Scope(environment="test", accounts=("123456789012",), regions=("eu-west-1",), required_tag="blackstart")
HOST = "BLACKSTART_TEST_HOST"
PATIENCE_SECONDS = 1.0


class Severable:
    """An undo log that cannot be reached while ``marker`` is there."""

    def __init__(self, log, marker: Path) -> None:
        self._log, self._marker = log, marker

    def __getattr__(self, name):
        found = getattr(self._log, name)
        if not callable(found):
            return found

        @wraps(found)
        def call(*arguments):
            if self._marker.exists():
                raise UndoLogUnusable(self._log.url, "the cable is cut")
            return found(*arguments)

        return call


def reach(url: str, folder: Path, by: str) -> Reach:
    log, clock = Severable(open_log(url), folder / "severed"), SystemClock()
    return Reach(log, Kinds([FileText()]), Clients(), clock, Mirror(folder, by, clock), settle_seconds=0.5)


def change(path: Path) -> Change:
    target = Target("file", str(path), account="123456789012", region="eu-west-1", tags={"blackstart": "allowed"})
    return Change(new_id(), "test.file", target, {"text": "old"}, {"text": "new"}, "write", "writing")


def drill(url: str, folder: Path, name: str, ears: str) -> None:
    """Write on every file, if there is one, wait to be interrupted (``ears`` "deaf": for ever), put back, end."""
    if ears == "deaf":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    mine = reach(url, folder, "drill")
    watch = reverter.Reverter(url, name, folder, (sys.executable, __file__, "revert"))
    record = Drill(name, "a drill on files", here(), "2026-01-01T00:00:00Z", "")
    mine.log.begin(record)
    watch.ensure("starting")
    gate = Gate(SCOPE, record, mine, watch)
    (folder / f"{name}.pids").write_text(f"{os.getpid()} {watch.pid}")
    try:
        changes = [change(path) for path in sorted(folder.glob("*.txt"))]
        if changes:
            inject(changes, gate, "writing on the files")
        (folder / f"{name}.in").touch()
        while True:
            time.sleep(0.05)
    except KeyboardInterrupt:
        (folder / f"{name}.interrupted").touch()
        undo(name, mine)
        gate.close()


def revert(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("log", str), ("drill", str), ("folder", Path), ("pipe", int), ("ready", int)):
        parser.add_argument(f"--{name}", type=kind)
    given = parser.parse_args(arguments)
    folder = given.folder

    def look() -> str | None:
        while (folder / "sleepy").exists():
            time.sleep(0.05)
        if (folder / "mute").exists():
            raise ServiceUnreachable("look at the alarm", "CloudWatch", "did not answer")
        return "alarm orders is in the state ALARM" if (folder / "trip").exists() else None

    conditions = Conditions((Condition("alarm orders", look),), 0.1, PATIENCE_SECONDS)
    mine = reach(given.log, folder, "reverter")
    done = (folder / "ending").write_text
    reverter.run(given.drill, mine, given.pipe, given.ready, done, conditions=conditions, give_up_seconds=3.0)


def main() -> None:
    lookout.LOOK_SECONDS = reverter.LOOK_SECONDS = 0.2
    lookout.BEAT_SECONDS = 0.2
    if os.environ.get(HOST):
        platform.node = lambda: os.environ[HOST]
    part, *arguments = sys.argv[1:]
    if part == "drill":
        url, folder, name, ears = arguments
        drill(url, Path(folder), name, ears)
    elif part == "revert":
        revert(arguments)
    else:
        url, folder = arguments
        mine = reach(url, Path(folder), "recover")
        recover(mine.log, lambda drill: mine, lease_seconds=1.0)


if __name__ == "__main__":
    main()
